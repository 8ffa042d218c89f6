//! The calls of the two gRPC services, and the faults in front of them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ::qdrant_client::qdrant::collections_server::Collections;
use ::qdrant_client::qdrant::points_server::Points;
use ::qdrant_client::qdrant::*;
use ::qdrant_edge as edge;
use tonic::{Request, Response, Status};

use super::{Fault, State, convert, refused};

type Running<'a, T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send + 'a>>;

#[derive(Clone)]
pub(super) struct Service(pub(super) Arc<State>);

impl Service {
    /// Answers a call, unless a fault is on.
    fn answer<'a, Asked: Send + 'a, Answered: Default + Send + 'a>(
        &'a self,
        call: &'static str,
        request: Request<Asked>,
        work: fn(&State, Asked) -> Result<Answered, Status>,
    ) -> Running<'a, Answered> {
        Box::pin(async move {
            self.0.calls.lock().unwrap().push(call);
            let fault = *self.0.fault.lock().unwrap();
            match fault {
                Fault::Slow(delay) => tokio::time::sleep(delay).await,
                Fault::Unavailable(0) => self.set_fault(Fault::None),
                Fault::Unavailable(more) => {
                    self.set_fault(Fault::Unavailable(more - 1));
                    return Err(Status::unavailable("the server is starting"));
                }
                Fault::None | Fault::WrongDimension => {}
            }
            work(&self.0, request.into_inner()).map(Response::new)
        })
    }

    fn set_fault(&self, fault: Fault) {
        *self.0.fault.lock().unwrap() = fault;
    }
}

/// Implements calls of a service; those without a body are not supported.
macro_rules! calls {
    ($($name:ident($asked:ty) -> $answered:ty $(= $work:expr)?;)*) => {
        $(fn $name<'life0, 'async_trait>(
            &'life0 self,
            request: Request<$asked>,
        ) -> Running<'async_trait, $answered>
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            #[allow(unused_mut, unused_assignments)]
            let mut work: fn(&State, $asked) -> Result<$answered, Status> =
                |_, _| Err(Status::unimplemented(stringify!($name)));
            $(work = $work;)?
            self.answer(stringify!($name), request, work)
        })*
    };
}

impl Collections for Service {
    calls! {
        get(GetCollectionInfoRequest) -> GetCollectionInfoResponse = |state, request| {
            let metadata = state.find(&request.collection_name)?.metadata.clone();
            let config = CollectionConfig { metadata, ..Default::default() };
            let info = CollectionInfo { config: Some(config), ..Default::default() };
            Ok(GetCollectionInfoResponse { result: Some(info), time: 0.0 })
        };
        list(ListCollectionsRequest) -> ListCollectionsResponse = |state, _| {
            let collections = state.collections.lock().unwrap();
            let describe = |name: &String| CollectionDescription { name: name.clone() };
            let collections = collections.keys().map(describe).collect();
            Ok(ListCollectionsResponse { collections, time: 0.0 })
        };
        create(CreateCollection) -> CollectionOperationResponse = |state, request| {
            state.create(request)?;
            Ok(CollectionOperationResponse { result: true, time: 0.0 })
        };
        delete(DeleteCollection) -> CollectionOperationResponse = |state, request| {
            let removed = state.collections.lock().unwrap().remove(&request.collection_name);
            state.aliases.lock().unwrap().retain(|_, target| *target != request.collection_name);
            Ok(CollectionOperationResponse { result: removed.is_some(), time: 0.0 })
        };
        update_aliases(ChangeAliases) -> CollectionOperationResponse = |state, request| {
            for action in request.actions {
                let Some(alias_operations::Action::CreateAlias(alias)) = action.action else {
                    return Err(Status::unimplemented("only aliases are created"));
                };
                state.find(&alias.collection_name)?;
                if state.collections.lock().unwrap().contains_key(&alias.alias_name) {
                    return Err(Status::already_exists("a collection has the alias's name"));
                }
                state.aliases.lock().unwrap().insert(alias.alias_name, alias.collection_name);
            }
            Ok(CollectionOperationResponse { result: true, time: 0.0 })
        };
        list_aliases(ListAliasesRequest) -> ListAliasesResponse = |state, _| {
            let aliases = state.aliases.lock().unwrap();
            let describe = |(alias, collection): (&String, &String)| AliasDescription {
                alias_name: alias.clone(),
                collection_name: collection.clone(),
            };
            Ok(ListAliasesResponse { aliases: aliases.iter().map(describe).collect(), time: 0.0 })
        };
        update(UpdateCollection) -> CollectionOperationResponse;
        list_collection_aliases(ListCollectionAliasesRequest) -> ListAliasesResponse;
        collection_cluster_info(CollectionClusterInfoRequest) -> CollectionClusterInfoResponse;
        collection_exists(CollectionExistsRequest) -> CollectionExistsResponse;
        update_collection_cluster_setup(UpdateCollectionClusterSetupRequest)
            -> UpdateCollectionClusterSetupResponse;
        create_shard_key(CreateShardKeyRequest) -> CreateShardKeyResponse;
        delete_shard_key(DeleteShardKeyRequest) -> DeleteShardKeyResponse;
        list_shard_keys(ListShardKeysRequest) -> ListShardKeysResponse;
    }
}

impl Points for Service {
    calls! {
        upsert(UpsertPoints) -> PointsOperationResponse = |state, request| {
            assert_eq!(request.wait, Some(true), "unless it waits, a count may miss points");
            let points = request.points.into_iter().map(convert::point).collect();
            let insert = edge::PointInsertOperations::PointsList(points);
            let operation = edge::PointOperations::UpsertPoints(insert);
            let collection = state.find(&request.collection_name)?;
            collection.shard.update(edge::UpdateOperation::PointOperation(operation)).map_err(refused)?;
            Ok(PointsOperationResponse::default())
        };
        create_field_index(CreateFieldIndexCollection) -> PointsOperationResponse = |state, request| {
            let kind = convert::schema(request.field_type());
            let create = edge::FieldIndexOperations::CreateIndex(edge::CreateIndex {
                field_name: edge::JsonPath::try_from(request.field_name.as_str()).unwrap(),
                field_schema: Some(edge::PayloadFieldSchema::FieldType(kind)),
            });
            let collection = state.find(&request.collection_name)?;
            collection.shard.update(edge::UpdateOperation::FieldIndexOperation(create)).map_err(refused)?;
            Ok(PointsOperationResponse::default())
        };
        count(CountPoints) -> CountResponse = |state, request| {
            let count = edge::CountRequest { filter: None, exact: request.exact() };
            let count = state.find(&request.collection_name)?.shard.count(count).map_err(refused)?;
            Ok(CountResponse { result: Some(CountResult { count: count as u64 }), ..Default::default() })
        };
        query_batch(QueryBatchPoints) -> QueryBatchResponse = |state, request| {
            let queries = request.query_points.into_iter();
            let result = queries.map(|query| state.query(query)).collect::<Result<_, _>>()?;
            Ok(QueryBatchResponse { result, ..Default::default() })
        };
        delete(DeletePoints) -> PointsOperationResponse;
        get(GetPoints) -> GetResponse;
        update_vectors(UpdatePointVectors) -> PointsOperationResponse;
        delete_vectors(DeletePointVectors) -> PointsOperationResponse;
        set_payload(SetPayloadPoints) -> PointsOperationResponse;
        overwrite_payload(SetPayloadPoints) -> PointsOperationResponse;
        delete_payload(DeletePayloadPoints) -> PointsOperationResponse;
        clear_payload(ClearPayloadPoints) -> PointsOperationResponse;
        delete_field_index(DeleteFieldIndexCollection) -> PointsOperationResponse;
        create_vector_name(CreateVectorNameRequest) -> PointsOperationResponse;
        delete_vector_name(DeleteVectorNameRequest) -> PointsOperationResponse;
        search(SearchPoints) -> SearchResponse;
        search_batch(SearchBatchPoints) -> SearchBatchResponse;
        search_groups(SearchPointGroups) -> SearchGroupsResponse;
        scroll(ScrollPoints) -> ScrollResponse;
        recommend(RecommendPoints) -> RecommendResponse;
        recommend_batch(RecommendBatchPoints) -> RecommendBatchResponse;
        recommend_groups(RecommendPointGroups) -> RecommendGroupsResponse;
        discover(DiscoverPoints) -> DiscoverResponse;
        discover_batch(DiscoverBatchPoints) -> DiscoverBatchResponse;
        update_batch(UpdateBatchPoints) -> UpdateBatchResponse;
        query(QueryPoints) -> QueryResponse;
        query_groups(QueryPointGroups) -> QueryGroupsResponse;
        facet(FacetCounts) -> FacetResponse;
        search_matrix_pairs(SearchMatrixPoints) -> SearchMatrixPairsResponse;
        search_matrix_offsets(SearchMatrixPoints) -> SearchMatrixOffsetsResponse;
    }
}
