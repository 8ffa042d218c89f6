//! `catalog.csv`: one product a row, one pair of title and description columns a language.

use std::collections::{BTreeMap, HashMap};

use crate::domain::{Currency, Language, Money, Product, ProductId, ProductText, suggestion};

use super::files::Files;
use super::table::{Cell, Row, Table};
use super::{Notes, vocabulary};

const FILE: &str = "catalog.csv";
const REQUIRED: [&str; 5] = ["id", "category", "price_minor", "currency", "stock"];
const OPTIONAL: [&str; 2] = ["image", "attributes"];

/// The catalog.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    /// The products without a fault, in order.
    pub(super) products: Vec<Product>,
    /// Every id that occurs, with the line of its row.
    pub(super) ids: HashMap<String, usize>,
}

/// Reads the catalog.
pub(super) fn read(files: &Files, currency: Currency, notes: &mut Notes) -> Catalog {
    if !files.has(FILE) {
        let header = REQUIRED.join(",");
        let message =
            format!("the catalog is missing; write it with the columns {header},title_<language>");
        notes.fault(FILE, 1, message);
        return Catalog::default();
    }
    let Some(table) = files
        .text(FILE, notes)
        .and_then(|text| Table::parse(FILE, &text, notes))
    else {
        return Catalog::default();
    };
    let Some(columns) = Columns::of(&table, notes) else {
        return Catalog::default();
    };
    if table.rows.is_empty() {
        notes.fault(FILE, 1, "the catalog has no product; add one a row");
    }
    let mut catalog = Catalog::default();
    for row in &table.rows {
        let mut reader = RowReader {
            row,
            columns: &columns,
            notes,
        };
        let product = reader.product(currency, files, &mut catalog.ids);
        catalog.products.extend(product);
    }
    catalog
}

struct Columns<'a> {
    places: HashMap<&'a str, usize>,
    languages: Vec<Language>,
}

impl<'a> Columns<'a> {
    fn of(table: &'a Table, notes: &mut Notes) -> Option<Self> {
        let places = table.columns();
        let mut languages = Vec::new();
        for name in table.names().filter(|name| !name.is_empty()) {
            let text = name
                .strip_prefix("title_")
                .or_else(|| name.strip_prefix("description_"));
            match text.map(vocabulary::language) {
                Some(Ok(language)) if !languages.contains(&language) => languages.push(language),
                Some(Ok(_)) => {}
                Some(Err(message)) => notes.fault(FILE, 1, format!("column `{name}`: {message}")),
                None if REQUIRED.contains(&name) || OPTIONAL.contains(&name) => {}
                None => notes.fault(FILE, 1, unknown_column(name)),
            }
        }
        let missing: Vec<&str> = REQUIRED
            .into_iter()
            .filter(|name| !places.contains_key(name))
            .collect();
        for name in &missing {
            notes.fault(FILE, 1, format!("the column `{name}` is missing; add it"));
        }
        let titled = places.keys().any(|name| name.starts_with("title_"));
        if !titled {
            notes.fault(
                FILE,
                1,
                "there is no title; add a column such as `title_en`",
            );
        }
        (missing.is_empty() && titled).then_some(Self { places, languages })
    }
}

fn unknown_column(name: &str) -> String {
    let language = name.rsplit_once('_').map_or("en", |(_, ending)| ending);
    let texts = ["title", "description"].map(|text| format!("{text}_{language}"));
    let known = REQUIRED.into_iter().chain(OPTIONAL);
    let meant = suggestion(name, known.chain(texts.iter().map(String::as_str)));
    format!("unknown column `{name}`; remove it or rename it{meant}")
}

struct RowReader<'a> {
    row: &'a Row,
    columns: &'a Columns<'a>,
    notes: &'a mut Notes,
}

impl<'a> RowReader<'a> {
    /// The product, when nothing in its row is wrong.
    fn product(
        &mut self,
        currency: Currency,
        files: &Files,
        ids: &mut HashMap<String, usize>,
    ) -> Option<Product> {
        let before = self.notes.faults.len();
        let id = self.id(ids);
        let category = self
            .required("category")
            .map(|cell| cell.text.to_lowercase());
        let minor = self.price();
        self.currency(currency);
        let stock = self.stock();
        let image = self.image(files);
        let attributes = self.attributes();
        let texts = self.texts();
        if self.notes.faults.len() > before {
            return None;
        }
        Some(Product {
            id: id?,
            category: category?,
            price: Money::new(minor?, currency),
            stock: stock?,
            image,
            attributes,
            texts,
        })
    }

    fn cell(&self, column: &str) -> Option<&'a Cell> {
        self.row.filled(self.columns.places.get(column))
    }

    fn required(&mut self, column: &str) -> Option<&'a Cell> {
        let cell = self.cell(column);
        if cell.is_none() {
            self.notes.fault(
                FILE,
                self.row.line,
                format!("`{column}` is empty; fill it in"),
            );
        }
        cell
    }

    fn fault(&mut self, cell: &Cell, message: impl Into<String>) {
        self.notes.fault(FILE, cell.line, message);
    }

    fn id(&mut self, ids: &mut HashMap<String, usize>) -> Option<ProductId> {
        let cell = self.required("id")?;
        let id = &cell.text;
        if !vocabulary::is_id(id) {
            let rule = "use up to 64 letters, digits, `-`, `_` and `.`";
            self.fault(cell, format!("`{id}` cannot be an id; {rule}"));
        }
        if let Some(first) = ids.get(id) {
            self.fault(
                cell,
                format!("the id `{id}` is taken by line {first}; give each product its own"),
            );
        } else {
            ids.insert(id.clone(), self.row.line);
        }
        Some(ProductId::from(id.as_str()))
    }

    fn price(&mut self) -> Option<i64> {
        let cell = self.required("price_minor")?;
        let price = cell.text.parse::<i64>().ok().filter(|price| *price >= 0);
        if price.is_none() {
            let text = &cell.text;
            let rule = "write a whole number of cents, at least 0, for example 14900 for 149.00";
            self.fault(cell, format!("the price `{text}` cannot be used; {rule}"));
        }
        price
    }

    fn currency(&mut self, shop: Currency) {
        let Some(cell) = self.required("currency") else {
            return;
        };
        if !cell
            .text
            .parse::<Currency>()
            .is_ok_and(|currency| currency == shop)
        {
            let (text, code) = (&cell.text, shop.code());
            self.fault(cell, format!("the currency is `{text}`, the shop's is {code}; write {code} or set shop.currency"));
        }
    }

    fn stock(&mut self) -> Option<u32> {
        let cell = self.required("stock")?;
        let stock = cell.text.parse::<u32>().ok();
        if stock.is_none() {
            let text = &cell.text;
            self.fault(
                cell,
                format!(
                    "the stock `{text}` cannot be used; write a whole number of pieces, at least 0"
                ),
            );
        }
        stock
    }

    /// The picture's address; a bare file name is one of `images/`.
    fn image(&mut self, files: &Files) -> String {
        let Some(cell) = self.cell("image") else {
            return String::new();
        };
        let text = &cell.text;
        if text.starts_with("https://") || text.starts_with("http://") {
            if url::Url::parse(text).is_err() {
                self.fault(
                    cell,
                    format!("`{text}` is not a web address; correct it or leave the cell empty"),
                );
            }
            return text.clone();
        }
        let file = text.strip_prefix("/images/").unwrap_or(text);
        if !files.has(&format!("images/{file}")) {
            self.fault(
                cell,
                format!(
                    "the picture `{text}` is not in images/; add it there or leave the cell empty"
                ),
            );
        } else if vocabulary::media_type(file).is_none() {
            self.fault(
                cell,
                format!("`{file}` is no picture we can show; use svg, png, jpg, webp, gif or avif"),
            );
        }
        format!("/images/{file}")
    }

    fn attributes(&mut self) -> BTreeMap<String, Vec<String>> {
        let mut attributes = BTreeMap::new();
        let Some(cell) = self.cell("attributes") else {
            return attributes;
        };
        for part in cell
            .text
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (key, values) = part.split_once('=').unwrap_or((part, ""));
            let key = key.trim().to_lowercase();
            let values: Vec<String> = values
                .split('|')
                .map(|value| value.trim().to_lowercase())
                .filter(|value| !value.is_empty())
                .collect();
            if key.is_empty() || values.is_empty() {
                self.fault(
                    cell,
                    format!("the attribute `{part}` has no name or no value; write name=value"),
                );
            } else if attributes.insert(key.clone(), values).is_some() {
                self.fault(
                    cell,
                    format!("the attribute `{key}` is there twice; write {key}=first|second"),
                );
            }
        }
        attributes
    }

    fn texts(&mut self) -> BTreeMap<Language, ProductText> {
        let mut texts = BTreeMap::new();
        let columns = self.columns;
        for language in &columns.languages {
            let title = self.cell(&format!("title_{language}"));
            let description = self.cell(&format!("description_{language}"));
            match (title, description) {
                (Some(title), description) => {
                    let description = description
                        .map(|cell| cell.text.clone())
                        .unwrap_or_default();
                    let title = title.text.clone();
                    texts.insert(*language, ProductText { title, description });
                }
                (None, Some(cell)) => {
                    let message =
                        format!("there is a description but no `title_{language}`; add the title");
                    self.fault(cell, message);
                }
                (None, None) => {}
            }
        }
        if texts.is_empty() {
            let message =
                "the product has no title in any language; fill in one, for example `title_en`";
            self.notes.fault(FILE, self.row.line, message);
        }
        texts
    }
}
