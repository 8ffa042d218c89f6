//! The payment page's words.

use serde::Serialize;

use crate::domain::Language;

/// The words of one language.
#[derive(Debug, Serialize)]
pub struct Texts {
    pub title: &'static str,
    pub demo: &'static str,
    pub product: &'static str,
    pub quantity: &'static str,
    pub total: &'static str,
    pub until: &'static str,
    pub pay: &'static str,
    pub paid: &'static str,
    pub order: &'static str,
    pub paid_note: &'static str,
    pub expired: &'static str,
    pub expired_note: &'static str,
    pub confirming: &'static str,
    pub confirming_note: &'static str,
    pub unavailable: &'static str,
    pub unavailable_note: &'static str,
    pub unknown: &'static str,
    pub unknown_note: &'static str,
    pub back: &'static str,
    /// How a moment is written, as strftime does.
    #[serde(skip)]
    pub date: &'static str,
}

/// The words in this language, or in English with English as the language.
pub fn texts(language: Language) -> (Language, &'static Texts) {
    match language {
        Language::IT => (language, &ITALIAN),
        Language::ES => (language, &SPANISH),
        Language::PT => (language, &PORTUGUESE),
        Language::DE => (language, &GERMAN),
        _ => (Language::EN, &ENGLISH),
    }
}

const ENGLISH: Texts = Texts {
    title: "Your order",
    demo: "Demo payment: no money moves",
    product: "Product",
    quantity: "Pieces",
    total: "Total",
    until: "This link works until",
    pay: "Pay",
    paid: "Paid, thank you",
    order: "Order number",
    paid_note: "Keep the number: with it you can ask in the chat where your order is.",
    expired: "This link has expired",
    expired_note: "Nothing was charged. Go back to the chat and ask for a new payment link.",
    confirming: "We are waiting for the confirmation",
    confirming_note: "This takes a few seconds; the page looks again by itself.",
    unavailable: "The payment page cannot be opened right now",
    unavailable_note: "Nothing was charged. Try the same link again in a few minutes.",
    unknown: "There is no such payment link",
    unknown_note: "Check that the address is complete, or ask for a new link in the chat.",
    back: "Back to the chat",
    date: "%-d %B %Y, %H:%M %Z",
};

const ITALIAN: Texts = Texts {
    title: "Il tuo ordine",
    demo: "Pagamento dimostrativo: nessun addebito",
    product: "Prodotto",
    quantity: "Pezzi",
    total: "Totale",
    until: "Il link vale fino al",
    pay: "Paga",
    paid: "Pagato, grazie",
    order: "Numero d’ordine",
    paid_note: "Conserva il numero: con quello puoi chiedere in chat dov’è il tuo ordine.",
    expired: "Questo link è scaduto",
    expired_note: "Non è stato addebitato nulla. Torna alla chat e chiedi un nuovo link di pagamento.",
    confirming: "Aspettiamo la conferma",
    confirming_note: "Bastano pochi secondi; la pagina si aggiorna da sola.",
    unavailable: "La pagina di pagamento ora non si apre",
    unavailable_note: "Non è stato addebitato nulla. Riprova lo stesso link tra qualche minuto.",
    unknown: "Questo link di pagamento non esiste",
    unknown_note: "Controlla che l’indirizzo sia completo, o chiedi un nuovo link in chat.",
    back: "Torna alla chat",
    date: "%d/%m/%Y, %H:%M %Z",
};

const SPANISH: Texts = Texts {
    title: "Tu pedido",
    demo: "Pago de demostración: no se cobra nada",
    product: "Producto",
    quantity: "Unidades",
    total: "Total",
    until: "El enlace vale hasta el",
    pay: "Pagar",
    paid: "Pagado, gracias",
    order: "Número de pedido",
    paid_note: "Guarda el número: con él puedes preguntar en el chat dónde está tu pedido.",
    expired: "Este enlace ha caducado",
    expired_note: "No se ha cobrado nada. Vuelve al chat y pide un nuevo enlace de pago.",
    confirming: "Esperamos la confirmación",
    confirming_note: "Son unos segundos; la página se actualiza sola.",
    unavailable: "La página de pago no se puede abrir ahora",
    unavailable_note: "No se ha cobrado nada. Prueba el mismo enlace en unos minutos.",
    unknown: "Este enlace de pago no existe",
    unknown_note: "Comprueba que la dirección esté completa o pide un nuevo enlace en el chat.",
    back: "Volver al chat",
    date: "%d/%m/%Y, %H:%M %Z",
};

const PORTUGUESE: Texts = Texts {
    title: "A sua encomenda",
    demo: "Pagamento de demonstração: nada é cobrado",
    product: "Produto",
    quantity: "Unidades",
    total: "Total",
    until: "O link é válido até",
    pay: "Pagar",
    paid: "Pago, obrigado",
    order: "Número da encomenda",
    paid_note: "Guarde o número: com ele pode perguntar no chat onde está a sua encomenda.",
    expired: "Este link expirou",
    expired_note: "Nada foi cobrado. Volte ao chat e peça um novo link de pagamento.",
    confirming: "Aguardamos a confirmação",
    confirming_note: "São alguns segundos; a página atualiza-se sozinha.",
    unavailable: "A página de pagamento não abre neste momento",
    unavailable_note: "Nada foi cobrado. Tente o mesmo link daqui a alguns minutos.",
    unknown: "Este link de pagamento não existe",
    unknown_note: "Verifique se o endereço está completo ou peça um novo link no chat.",
    back: "Voltar ao chat",
    date: "%d/%m/%Y, %H:%M %Z",
};

const GERMAN: Texts = Texts {
    title: "Deine Bestellung",
    demo: "Demo-Zahlung: Es fließt kein Geld",
    product: "Produkt",
    quantity: "Stück",
    total: "Summe",
    until: "Der Link gilt bis",
    pay: "Bezahlen",
    paid: "Bezahlt, danke",
    order: "Bestellnummer",
    paid_note: "Heb die Nummer auf: Mit ihr kannst du im Chat nach deiner Bestellung fragen.",
    expired: "Dieser Link ist abgelaufen",
    expired_note: "Es wurde nichts abgebucht. Geh zurück zum Chat und bitte um einen neuen Zahlungslink.",
    confirming: "Wir warten auf die Bestätigung",
    confirming_note: "Das dauert ein paar Sekunden; die Seite schaut von selbst nach.",
    unavailable: "Die Zahlungsseite lässt sich gerade nicht öffnen",
    unavailable_note: "Es wurde nichts abgebucht. Versuch denselben Link in ein paar Minuten noch einmal.",
    unknown: "Diesen Zahlungslink gibt es nicht",
    unknown_note: "Prüfe, ob die Adresse vollständig ist, oder bitte im Chat um einen neuen Link.",
    back: "Zurück zum Chat",
    date: "%d.%m.%Y, %H:%M %Z",
};
