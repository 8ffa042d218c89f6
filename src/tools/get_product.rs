//! `get_product`: everything the catalog says of one product.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Annotations, CallContext, Caller, EVERYONE, ProductView, Tool, ToolError, Workbench};
use crate::domain::{ProductId, Scope};

/// Which product.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Args {
    /// The product's id, as search_catalog answers it.
    #[schemars(length(min = 1, max = 60))]
    id: ProductId,
}

/// The product.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ProductAnswer {
    /// The product.
    pub product: ProductView,
}

/// The tool.
pub struct GetProduct(pub Workbench);

#[async_trait]
impl Tool for GetProduct {
    const NAME: &'static str = "get_product";
    const TITLE: &'static str = "Get a product";
    const DESCRIPTION: &'static str = include_str!("../../tools/get_product.md");
    const ANNOTATIONS: Annotations = Annotations::READS;
    const CALLERS: &'static [Caller] = EVERYONE;
    const SCOPE: Option<Scope> = Some(Scope::CatalogRead);
    type Args = Args;
    type Output = ProductAnswer;

    async fn call(&self, args: Args, context: &CallContext) -> Result<ProductAnswer, ToolError> {
        let knowledge = self.0.knowledge.load();
        let product = knowledge.product(&args.id).ok_or_else(|| {
            ToolError::Invalid(
                "`id`: the catalog has no such product. Find the id with search_catalog."
                    .to_owned(),
            )
        })?;
        Ok(ProductAnswer {
            product: ProductView::of(product, context.language, &self.0.public_url),
        })
    }
}
