//! The few words around an answer that are WhatsApp's own, in the customer's language.

use crate::domain::Language;

/// Words in one language; buttons have at most 20 characters, section titles 24.
pub(super) struct Words {
    pub(super) show_products: &'static str,
    pub(super) choose: &'static str,
    pub(super) pay: &'static str,
    pub(super) products: &'static str,
    pub(super) more: &'static str,
    one_in_stock: &'static str,
    many_in_stock: &'static str,
    sold_out: &'static str,
    /// Stands before the link to the whole text.
    pub(super) whole_text: &'static str,
}

impl Words {
    /// The words in this language, else in English.
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::IT => &ITALIAN,
            Language::ES => &SPANISH,
            Language::PT => &PORTUGUESE,
            Language::DE => &GERMAN,
            Language::FR => &FRENCH,
            _ => &ENGLISH,
        }
    }

    pub(super) fn stock(&self, pieces: u32) -> String {
        match pieces {
            0 => self.sold_out.to_owned(),
            1 => format!("1 {}", self.one_in_stock),
            _ => format!("{pieces} {}", self.many_in_stock),
        }
    }
}

const ENGLISH: Words = Words {
    show_products: "See the products",
    choose: "Choose",
    pay: "Pay now",
    products: "Products",
    more: "More",
    one_in_stock: "in stock",
    many_in_stock: "in stock",
    sold_out: "out of stock",
    whole_text: "Read it all",
};
const ITALIAN: Words = Words {
    show_products: "Vedi i prodotti",
    choose: "Scegli",
    pay: "Paga ora",
    products: "Prodotti",
    more: "Altro",
    one_in_stock: "disponibile",
    many_in_stock: "disponibili",
    sold_out: "esaurito",
    whole_text: "Leggi tutto",
};
const SPANISH: Words = Words {
    show_products: "Ver los productos",
    choose: "Elegir",
    pay: "Pagar ahora",
    products: "Productos",
    more: "Más",
    one_in_stock: "disponible",
    many_in_stock: "disponibles",
    sold_out: "agotado",
    whole_text: "Léelo completo",
};
const PORTUGUESE: Words = Words {
    show_products: "Ver os produtos",
    choose: "Escolher",
    pay: "Pagar agora",
    products: "Produtos",
    more: "Mais",
    one_in_stock: "disponível",
    many_in_stock: "disponíveis",
    sold_out: "esgotado",
    whole_text: "Leia tudo",
};
const GERMAN: Words = Words {
    show_products: "Produkte ansehen",
    choose: "Auswählen",
    pay: "Jetzt bezahlen",
    products: "Produkte",
    more: "Mehr",
    one_in_stock: "auf Lager",
    many_in_stock: "auf Lager",
    sold_out: "ausverkauft",
    whole_text: "Alles lesen",
};
const FRENCH: Words = Words {
    show_products: "Voir les produits",
    choose: "Choisir",
    pay: "Payer",
    products: "Produits",
    more: "Plus",
    one_in_stock: "disponible",
    many_in_stock: "disponibles",
    sold_out: "épuisé",
    whole_text: "Lire la suite",
};
