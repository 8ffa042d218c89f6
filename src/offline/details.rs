//! What the catalog says about one product: a feature, a measure, everything.

use minijinja::context;

use super::errand::{Errand, Part};
use super::{cues, reasons};
use crate::domain::{Comparison, Entities, Money};
use crate::prompts::Words;
use crate::tools::{ProductView, has_feature};
use crate::understand::reads_as;

/// Attributes that a comparison names, most telling first.
const COMPARED: [&str; 8] = [
    "power_w",
    "pressure_bar",
    "water_l",
    "cups",
    "width_cm",
    "weight_kg",
    "hopper_g",
    "noise_db",
];

/// Attributes of which less is better; of all others more is.
const LESS_IS_BETTER: [&str; 3] = ["noise_db", "width_cm", "weight_kg"];

/// Measures in one description.
const MEASURES: usize = 4;

/// What the catalog says to a question.
pub enum Known {
    /// Nothing.
    Open,
    /// The product is as wished, or nothing was wished.
    Fits,
    /// It is not.
    Lacks,
}

/// The answer to a question about a feature; none when the catalog does not say. A feature with the value
/// `?` asks for the value.
pub fn feature(
    product: &ProductView,
    key: &str,
    value: &str,
    words: Words<'_>,
) -> Option<(String, Known)> {
    let title = product.title.as_str();
    // Whether something is quiet is best answered with its noise.
    let measured = match key {
        "quiet" => Some("noise_db"),
        "compact" => Some("width_cm"),
        _ if value == "?" => Some(key),
        _ => None,
    };
    if let Some(key) = measured {
        let values = product.attributes.get(key)?;
        let attribute = words.name("attributes", key);
        let value = values.join(", ");
        let text = words.say("attribute_is", context! { title, attribute, value });
        return Some((text, Known::Fits));
    }
    let has = has_feature(&product.attributes, key, value)?;
    let own = product.attributes.get(key)?.first()?;
    let feature = if matches!(value, "yes" | "no") {
        words.name("attributes", key)
    } else {
        words.name("values", &own.replace('-', "_"))
    };
    let phrase = match (has, value) {
        (true, _) => "feature_yes",
        (false, "yes" | "no") => "feature_no",
        (false, _) => "feature_other",
    };
    let known = if has { Known::Fits } else { Known::Lacks };
    Some((words.say(phrase, context! { title, feature }), known))
}

/// Price, stock, and the description in the customer's language; where the catalog has none in it, what
/// its attributes say.
pub fn whole(product: &ProductView, words: Words<'_>) -> String {
    let price = product.price.display(words.spoken());
    let title = product.title.as_str();
    let stock = reasons::stock(product, words);
    let description = product.description.as_str();
    if !description.is_empty() && reads_as(description, words.language()) {
        return words.say("details", context! { title, price, stock, description });
    }
    let mut lines = vec![words.say("price_is", context! { title, price, stock })];
    let measures: Vec<String> = COMPARED
        .iter()
        .filter_map(|key| {
            let value = product.attributes.get(*key)?.join(", ");
            Some(format!("{}: {value}", words.name("attributes", key)))
        })
        .take(MEASURES)
        .collect();
    if !measures.is_empty() {
        lines.push(measures.join(" · "));
    }
    if let Some(colors) = product.attributes.get("colors") {
        let colors: Vec<String> = colors
            .iter()
            .map(|color| words.name("colors", color))
            .collect();
        let name = words.name("attributes", "colors");
        lines.push(format!("{name}: {}", words.list(&colors)));
    }
    lines.join("\n")
}

/// The cheapest or the dearest of several, with an offer.
pub fn extreme(errand: &Errand<'_>, product: &ProductView, comparison: Comparison) -> Part {
    let key = match comparison {
        Comparison::Cheapest => "cheapest",
        Comparison::Dearest => "dearest",
    };
    let stock = reasons::stock(product, errand.words);
    let text = errand.words.say(
        key,
        context! { title => product.title.as_str(), price => product.price.display(errand.words.spoken()), stock },
    );
    let mut part = Part::text(format!("{text}\n{}", errand.words.plain("offer_link")));
    part.answer.products.push(product.card(None));
    part.awaiting(format!("basket:{}x1", product.id))
}

/// The best of several by one measure, with an offer. None when the catalog does not tell them apart.
pub fn best_of(errand: &Errand<'_>, products: &[ProductView], key: &str) -> Option<Part> {
    let (product, text) = best(products, key, errand.words)?;
    let sold_out = product.stock == 0;
    let next = if sold_out {
        "reason_out_of_stock"
    } else {
        "offer_link"
    };
    let mut part = Part::text(format!("{text}\n{}", errand.words.plain(next)));
    part.answer.products.push(product.card(None));
    if sold_out {
        return Some(part);
    }
    Some(part.awaiting(format!("basket:{}x1", product.id)))
}

/// The product that is ahead by one measure, and what to say of it.
fn best<'p>(
    products: &'p [ProductView],
    key: &str,
    words: Words<'_>,
) -> Option<(&'p ProductView, String)> {
    let mut measured: Vec<(&ProductView, &str, f32)> = products
        .iter()
        .filter_map(|product| {
            let value = product.attributes.get(key)?.first()?;
            Some((product, value.as_str(), value.parse::<f32>().ok()?))
        })
        .collect();
    measured.sort_by(|one, other| one.2.total_cmp(&other.2));
    if !LESS_IS_BETTER.contains(&key) {
        measured.reverse();
    }
    let [(product, value, number), others @ ..] = measured.as_slice() else {
        return None;
    };
    let (_, _, second) = others.first()?;
    if (number - second).abs() < f32::EPSILON {
        return None;
    }
    let others: Vec<String> = others
        .iter()
        .map(|(other, value, _)| format!("{}: {value}", other.title))
        .collect();
    let attribute = words.name("attributes", key);
    let text = words.say(
        "compare_best",
        context! { attribute, title => product.title.as_str(), value => *value, others => others.join(", ") },
    );
    Some((*product, text))
}

/// Two products side by side: price, measures, what speaks for each.
pub fn side_by_side(errand: &Errand<'_>, one: &ProductView, other: &ProductView) -> Part {
    let words = errand.words;
    let (cheap, dear) = if one.price.minor <= other.price.minor {
        (one, other)
    } else {
        (other, one)
    };
    let difference = Money::new(dear.price.minor - cheap.price.minor, cheap.price.currency);
    let asked = cues::measure(&errand.asked.text);
    let verdict = asked.and_then(|key| {
        let pair = [one.clone(), other.clone()];
        best(&pair, key, words).map(|(product, text)| (product.clone(), text))
    });
    let (ahead, text) = verdict.unzip();
    let mut lines: Vec<String> = text.into_iter().collect();
    let most = lines.len() + 3;
    lines.push(if difference.minor == 0 {
        words.say(
            "compare_same_price",
            context! { one => one.title.as_str(), other => other.title.as_str(), price => one.price.display(words.spoken()) },
        )
    } else {
        words.say(
            "compare_price",
            context! {
                cheap => cheap.title.as_str(), dear => dear.title.as_str(),
                difference => difference.display(words.spoken()),
                cheap_price => cheap.price.display(words.spoken()),
                dear_price => dear.price.display(words.spoken()),
            },
        )
    });
    for key in COMPARED.into_iter().filter(|key| asked != Some(*key)) {
        let value =
            |product: &ProductView| product.attributes.get(key).map(|values| values.join(", "));
        if let (Some(one), Some(other)) = (value(one), value(other))
            && one != other
        {
            let attribute = words.name("attributes", key);
            lines.push(words.say("compare_attribute", context! { attribute, one, other }));
        }
        if lines.len() > most {
            break;
        }
    }
    for product in [one, other] {
        if let Some(reason) = reasons::reason(product, &Entities::default(), words) {
            lines.push(format!("{}: {reason}", product.title));
        }
    }
    let ahead = ahead.filter(|product: &ProductView| product.stock > 0);
    let awaiting = match ahead {
        Some(product) => {
            lines.push(words.plain("offer_link"));
            format!("basket:{}x1", product.id)
        }
        None => "choose".to_owned(),
    };
    let mut part = Part::text(lines.join("\n")).awaiting(awaiting);
    part.answer.products = [one, other].map(|product| product.card(None)).into();
    part
}
