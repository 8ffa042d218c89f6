//! `search_catalog`: products that fit words, a category, a price range.

use std::collections::HashSet;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::view::has_feature;
use super::{Annotations, CallContext, Caller, EVERYONE, ProductView, Tool, ToolError, Workbench};
use crate::domain::{
    Comparison, Entities, Language, PassageKind, PriceRange, Product, ProductId, Scope,
};
use crate::knowledge::Knowledge;
use crate::ports::Filter;
use crate::retrieval::{Mode, Query, SearchLegs};
use crate::understand::{entities, is_common_word};

/// How many passages are looked at before products are picked.
const CANDIDATES: usize = 40;

/// What to look for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Args {
    /// What the customer looks for, in the customer's own words.
    #[serde(default)]
    #[schemars(length(max = 300))]
    query: Option<String>,
    /// A category of the catalog, for example `grinder`.
    #[serde(default)]
    #[schemars(length(max = 40))]
    category: Option<String>,
    /// Lowest price in the shop's currency, for example 100.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    min_price: Option<f64>,
    /// Highest price in the shop's currency, for example 300.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    max_price: Option<f64>,
    /// Only what is in stock.
    #[serde(default)]
    in_stock: bool,
    /// At most so many products.
    #[serde(default = "five")]
    #[schemars(range(min = 1, max = 10))]
    limit: u32,
}

fn five() -> u32 {
    5
}

/// Products that fit, in stock first, best first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CatalogAnswer {
    /// The products; empty when nothing fits.
    pub products: Vec<ProductView>,
    /// The catalog's categories, for a next call.
    pub categories: Vec<String>,
}

/// The tool.
pub struct SearchCatalog(pub Workbench);

#[async_trait]
impl Tool for SearchCatalog {
    const NAME: &'static str = "search_catalog";
    const TITLE: &'static str = "Search the catalog";
    const DESCRIPTION: &'static str = include_str!("../../tools/search_catalog.md");
    const ANNOTATIONS: Annotations = Annotations::READS;
    const CALLERS: &'static [Caller] = EVERYONE;
    const SCOPE: Option<Scope> = Some(Scope::CatalogRead);
    type Args = Args;
    type Output = CatalogAnswer;

    async fn call(&self, args: Args, context: &CallContext) -> Result<CatalogAnswer, ToolError> {
        let knowledge = self.0.knowledge.load_full();
        let wish = Wish::of(&args, &knowledge, context)?;
        let found = match args
            .query
            .as_deref()
            .map(str::trim)
            .filter(|query| !query.is_empty())
        {
            Some(query) => self.search(query, &wish, &knowledge, context).await?,
            None => browse(&wish, &knowledge),
        };
        let mut products = preferred(found, &wish);
        if let Some(query) = &args.query {
            named_first(&mut products, query, context.language);
        }
        let products = products
            .into_iter()
            .take(args.limit as usize)
            .map(|product| ProductView::of(product, context.language, &self.0.public_url))
            .collect();
        Ok(CatalogAnswer {
            products,
            categories: knowledge.categories(),
        })
    }
}

impl SearchCatalog {
    async fn search<'k>(
        &self,
        text: &str,
        wish: &Wish,
        knowledge: &'k Knowledge,
        context: &CallContext,
    ) -> Result<Vec<&'k Product>, ToolError> {
        let query = Query {
            text,
            vector: None,
            diversity: 0.0,
            legs: SearchLegs::Both,
            language: context.language,
            limit: CANDIDATES,
            filter: Filter {
                kinds: vec![PassageKind::Product],
                categories: wish.categories.clone(),
                price: wish.price,
                in_stock: wish.in_stock,
                ..Filter::default()
            },
        };
        let found =
            self.0
                .retriever
                .search(&query)
                .await
                .map_err(|error| ToolError::Unavailable {
                    detail: error.to_string(),
                })?;
        if found.mode == Mode::None {
            return Err(ToolError::Unavailable {
                detail: "there is no index yet".to_owned(),
            });
        }
        // A wish that names a category, a feature or a product is about the catalog; other words must be close.
        let relevant = found.relevant
            || !wish.categories.is_empty()
            || !wish.features.is_empty()
            || knowledge
                .products
                .iter()
                .any(|product| is_named(product, text, context.language));
        if !relevant {
            return Ok(Vec::new());
        }
        let known = |id: &str| knowledge.product(&ProductId::from(id));
        Ok(found
            .passages
            .iter()
            .filter_map(|passage| known(&passage.document))
            .collect())
    }
}

/// The arguments together with what the query's words say.
struct Wish {
    categories: Vec<String>,
    price: Option<PriceRange>,
    in_stock: bool,
    features: Vec<(String, String)>,
    colors: Vec<String>,
    comparison: Option<Comparison>,
}

impl Wish {
    fn of(args: &Args, knowledge: &Knowledge, context: &CallContext) -> Result<Self, ToolError> {
        let said = args
            .query
            .as_deref()
            .map_or_else(Entities::default, |query| entities(query, context.language));
        let given = PriceRange {
            min: args.min_price.map(minor),
            max: args.max_price.map(minor),
        };
        if let (Some(min), Some(max)) = (given.min, given.max)
            && min > max
        {
            return Err(ToolError::Invalid(
                "`min_price` is above `max_price`; swap them.".to_owned(),
            ));
        }
        let price = if given.min.is_some() || given.max.is_some() {
            Some(given)
        } else {
            said.price
        };
        Ok(Self {
            categories: categories(args, knowledge, said.categories)?,
            price,
            in_stock: args.in_stock || said.in_stock,
            // "How loud is it" wishes for nothing.
            features: said
                .features
                .into_iter()
                .filter(|(_, value)| value != "?")
                .collect(),
            colors: said.colors,
            comparison: said.comparison,
        })
    }

    fn allows(&self, product: &Product) -> bool {
        let price = self.price.is_none_or(|range| {
            range.min.is_none_or(|min| product.price.minor >= min)
                && range.max.is_none_or(|max| product.price.minor <= max)
        });
        let category = self.categories.is_empty() || self.categories.contains(&product.category);
        price && category && (!self.in_stock || product.stock > 0)
    }

    fn features_of(&self, product: &Product) -> usize {
        let features = self
            .features
            .iter()
            .filter(|(key, value)| has_feature(&product.attributes, key, value) == Some(true))
            .count();
        let colors = self
            .colors
            .iter()
            .filter(|color| product.attribute("colors").contains(color))
            .count();
        features + colors
    }
}

fn minor(amount: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the schema bounds the amount"
    )]
    let minor = (amount * 100.0).round() as i64;
    minor
}

fn categories(
    args: &Args,
    knowledge: &Knowledge,
    said: Vec<String>,
) -> Result<Vec<String>, ToolError> {
    let known = knowledge.categories();
    match &args.category {
        Some(category) if known.contains(category) => Ok(vec![category.clone()]),
        Some(category) => Err(ToolError::Invalid(format!(
            "`category`: there is no `{category}`; use one of {} or leave it out.",
            known.join(", ")
        ))),
        None => Ok(said
            .into_iter()
            .filter(|category| known.contains(category))
            .collect()),
    }
}

fn browse<'k>(wish: &Wish, knowledge: &'k Knowledge) -> Vec<&'k Product> {
    let mut products: Vec<&Product> = knowledge
        .products
        .iter()
        .filter(|product| wish.allows(product))
        .collect();
    products.sort_by_key(|product| product.price.minor);
    products
}

/// Whether a text has a word of the title that the product's id has too: a name, not a description.
fn is_named(product: &Product, text: &str, language: Language) -> bool {
    let ids: HashSet<&str> = product.id.as_str().split('-').collect();
    let mut titles = long_words(product.title(language));
    titles.retain(|word| ids.contains(word.as_str()));
    !titles.is_disjoint(&long_words(text))
}

fn long_words(text: &str) -> HashSet<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_alphanumeric());
    words
        .filter(|word| word.chars().count() >= 4)
        .map(str::to_owned)
        .collect()
}

/// A product that the query names by a word of its own, which few of the titles share, comes first.
fn named_first(products: &mut [&Product], query: &str, language: Language) {
    let titles: Vec<HashSet<String>> = products
        .iter()
        .map(|product| long_words(product.title(language)))
        .collect();
    let own = |word: &&String| titles.iter().filter(|title| title.contains(*word)).count() == 1;
    let said: HashSet<String> = long_words(query)
        .iter()
        .filter(own)
        .filter(|word| !is_common_word(word, language))
        .cloned()
        .collect();
    products.sort_by_key(|product| long_words(product.title(language)).is_disjoint(&said));
}

/// In stock first, then those with more of the wished features; otherwise the order stays.
/// When some have all the features, the others are left out.
fn preferred<'k>(mut products: Vec<&'k Product>, wish: &Wish) -> Vec<&'k Product> {
    let wished = wish.features.len() + wish.colors.len();
    if products
        .iter()
        .any(|product| wish.features_of(product) == wished)
    {
        products.retain(|product| wish.features_of(product) == wished);
    }
    products.sort_by_key(|product| (product.stock == 0, wished - wish.features_of(product)));
    // "The cheapest grinder" is a question about all grinders; without a category the words decide.
    if !wish.categories.is_empty() {
        match wish.comparison {
            Some(Comparison::Cheapest) => products.sort_by_key(|product| product.price.minor),
            Some(Comparison::Dearest) => {
                products.sort_by_key(|product| std::cmp::Reverse(product.price.minor));
            }
            None => {}
        }
    }
    products
}
