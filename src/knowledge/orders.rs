//! `demo/orders.csv`: the order book that a demo starts with.

use std::collections::HashMap;

use crate::domain::{Language, Order, OrderItem, OrderNumber, OrderStatus, ProductId, suggestion};

use super::catalog::Catalog;
use super::files::Files;
use super::table::{Cell, Row, Table};
use super::{Notes, vocabulary};

const FILE: &str = "demo/orders.csv";
const REQUIRED: [&str; 5] = ["number", "name", "placed_on", "status", "items"];
const OPTIONAL: [&str; 7] = [
    "phone",
    "email",
    "language",
    "carrier",
    "tracking",
    "expected_on",
    "note",
];

/// Reads the order book, when there is one.
pub(super) fn read(files: &Files, catalog: &Catalog, notes: &mut Notes) -> Vec<Order> {
    if !files.has(FILE) {
        return Vec::new();
    }
    let Some(table) = files
        .text(FILE, notes)
        .and_then(|text| Table::parse(FILE, &text, notes))
    else {
        return Vec::new();
    };
    let columns = table.columns();
    for name in table.names().filter(|name| !name.is_empty()) {
        if !REQUIRED.contains(&name) && !OPTIONAL.contains(&name) {
            let meant = suggestion(name, REQUIRED.into_iter().chain(OPTIONAL));
            notes.fault(
                FILE,
                1,
                format!("unknown column `{name}`; remove it or rename it{meant}"),
            );
        }
    }
    let missing: Vec<&str> = REQUIRED
        .into_iter()
        .filter(|name| !columns.contains_key(name))
        .collect();
    for name in &missing {
        notes.fault(FILE, 1, format!("the column `{name}` is missing; add it"));
    }
    if !missing.is_empty() {
        return Vec::new();
    }
    let mut numbers = HashMap::new();
    let mut orders = Vec::new();
    for row in &table.rows {
        let mut reader = RowReader {
            row,
            columns: &columns,
            notes,
        };
        orders.extend(reader.order(catalog, &mut numbers));
    }
    orders
}

struct RowReader<'a> {
    row: &'a Row,
    columns: &'a HashMap<&'a str, usize>,
    notes: &'a mut Notes,
}

impl<'a> RowReader<'a> {
    /// The order, when nothing in its row is wrong.
    fn order(&mut self, catalog: &Catalog, numbers: &mut HashMap<String, usize>) -> Option<Order> {
        let before = self.notes.faults.len();
        let number = self.number(numbers);
        let name = self.required("name").map(|cell| cell.text.clone());
        let phone = self.checked("phone", phone).unwrap_or_default();
        let email = self.checked("email", email).unwrap_or_default();
        let language = self
            .checked("language", vocabulary::language)
            .unwrap_or(Language::EN);
        self.required("placed_on");
        let placed = self.checked("placed_on", vocabulary::date);
        self.required("status");
        let status = self.checked("status", str::parse::<OrderStatus>);
        let expected = self.checked("expected_on", vocabulary::date);
        let items = self.items(catalog);
        if let (Some(placed), Some(expected)) = (placed, expected)
            && expected < placed
        {
            let message = "`expected_on` is before `placed_on`; correct one of them";
            self.notes.fault(FILE, self.row.line, message);
        }
        if phone.is_empty() && email.is_empty() {
            let message =
                "the order has neither phone nor email, so no customer can ask about it; add one";
            self.notes.warning(FILE, self.row.line, message);
        }
        if self.notes.faults.len() > before {
            return None;
        }
        Some(Order {
            number: number?,
            name: name?,
            phone,
            email,
            language,
            placed_on: placed?.to_string(),
            status: status?,
            carrier: self.cell("carrier").map(|cell| cell.text.clone()),
            tracking: self.cell("tracking").map(|cell| cell.text.clone()),
            expected_on: expected.map(|date| date.to_string()),
            items,
        })
    }

    fn cell(&self, column: &str) -> Option<&'a Cell> {
        self.row.filled(self.columns.get(column))
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

    /// The cell as a value; a fault when it is filled and cannot be read.
    fn checked<T>(&mut self, column: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let cell = self.cell(column)?;
        match read(&cell.text) {
            Ok(value) => Some(value),
            Err(message) => {
                self.notes
                    .fault(FILE, cell.line, format!("`{column}`: {message}"));
                None
            }
        }
    }

    fn number(&mut self, numbers: &mut HashMap<String, usize>) -> Option<OrderNumber> {
        let cell = self.required("number")?;
        let number = &cell.text;
        if !vocabulary::is_id(number) {
            let rule = "use up to 64 letters, digits, `-`, `_` and `.`";
            self.notes.fault(
                FILE,
                cell.line,
                format!("`{number}` cannot be an order number; {rule}"),
            );
        }
        if let Some(first) = numbers.get(number) {
            let message = format!(
                "the order number `{number}` is taken by line {first}; give each order its own"
            );
            self.notes.fault(FILE, cell.line, message);
        } else {
            numbers.insert(number.clone(), self.row.line);
        }
        Some(OrderNumber::from(number.as_str()))
    }

    fn items(&mut self, catalog: &Catalog) -> Vec<OrderItem> {
        let mut items = Vec::new();
        let Some(cell) = self.required("items") else {
            return items;
        };
        for part in cell
            .text
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let item = part.rsplit_once(" x").and_then(|(id, quantity)| {
                let quantity = quantity
                    .parse::<u32>()
                    .ok()
                    .filter(|quantity| *quantity > 0)?;
                Some((id.trim(), quantity))
            });
            let Some((id, quantity)) = item else {
                let message = format!(
                    "the item `{part}` cannot be read; write `<product id> x<pieces>`, for example `aria x2`"
                );
                self.notes.fault(FILE, cell.line, message);
                continue;
            };
            if !catalog.ids.contains_key(id) {
                let meant = suggestion(id, catalog.ids.keys().map(String::as_str));
                let message = format!(
                    "the product `{id}` is not in catalog.csv; correct the id or add the product{meant}"
                );
                self.notes.fault(FILE, cell.line, message);
            }
            items.push(OrderItem {
                product_id: ProductId::from(id),
                quantity,
            });
        }
        items
    }
}

fn phone(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix('+').unwrap_or_default();
    let right = (8..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    right
        .then(|| text.to_owned())
        .ok_or_else(|| "this is not a phone number; write it as +393331234567".to_owned())
}

fn email(text: &str) -> Result<String, String> {
    let right = text.split_once('@').is_some_and(|(user, host)| {
        let plain = !text.contains(|letter: char| {
            letter.is_whitespace() || matches!(letter, ',' | ';' | '<' | '>')
        });
        let dotted = host.split('.').count() > 1 && host.split('.').all(|label| !label.is_empty());
        !user.is_empty() && !host.contains('@') && plain && dotted
    });
    right
        .then(|| text.to_owned())
        .ok_or_else(|| "this is not an e-mail address; write it as name@example.com".to_owned())
}
