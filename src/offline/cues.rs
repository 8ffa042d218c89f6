//! Words that settle what a message asks when its intent is in doubt, in all languages of the tables at once.
//! A star stands for any ending, before a word for any beginning.

const DISCOUNT: &str = "*discount* *rabatt* scont* descuento* desconto* remise* réduction* code codes codigo* \
    código* codice codici *gutschein* coupon* cupon* cupón* cupom cupão voucher* newsletter* promo* offer offers \
    offert* oferta* *angebot* aktion* deal deals rebaj* nachlass sale saldo saldi black_friday reduzier* wholesale \
    bulk ingrosso mayorista rivenditor* händler* revenda better_price prezzo_migliore mejor_precio preço_melhor \
    melhor_preço am_preis";

const PRICE: &str = "price* cost costs how_much prezz* costa costano quanto_viene precio* cuesta* cuánto_vale \
    cuanto_vale preço* preco* custa* quanto_é *preis* kostet kosten prix coûte* combien";

const SHOWING: &str = "show which what whats mostra* fammi_vedere quale quali qual muestra* muéstra* enseña* \
    enséña* cuál cual cuáles quais ver zeig* welche* was_ist montre* quel*";

const COMPARING: &str = "compare* comparison versus vs difference* better confront* paragon* differenz* meglio \
    compar* diferencia* mejor diferença* melhor *vergleich* unterschied* besser* différence* mieux";

const SELLING: &str =
    "sell sells vende* vendé* vendi vendono verkauf* führt_ihr führen_sie im_sortiment vendez";

const ARRIVING: &str = "arriv* kommt ankommt ankunft geliefert zugestellt chega* llega* get_it get_here \
    it_come coming consegnat* entregue* entregad*";

const HAVING: &str = "do_you_have have_you_got got_any do_you_stock avete tenéis teneis tienen têm vocês_têm \
    habt_ihr haben_sie gibt_es";

const TAKING: &str = "take buy purchase checkout pay order link prend* prendo compro comprar* compra acquist* \
    ordin* llevo llevar* pedir pagar* pagare levo levar* nehm* kaufe kaufen bestell* zahl* bezahl*";

const BOUGHT: &str =
    "bought purchased comprat* acquistat* compré compramos comprei comprámos gekauft";

const LACKING: &str = "not don_t doesn_t can_t cannot lost forgot* without non senza perso persa dimenticat* no_lo \
    no_la no_tengo no_sé no_encuentro no_recuerdo perdí perdid* olvid* sin não nao perdi sem esqueci* nicht kein* \
    verloren vergessen ohne";

const SHIPPING: &str =
    "ship* deliver* postage spedi* consegn* envi* envío* portes entreg* *versand* *liefer* porto";

const VAGUE: &str = "thing things stuff cosa cose cosas coisa coisas aquilo aquello quello quella eso isso das \
    ding sache letztens neulich";

const CHANGING: &str = "änder* umänder* geändert change cambia* modific* mudar alterar *stornier* cancel* annull* anul*";

/// The attribute that a comparative measures.
const MEASURES: [(&str, &str); 7] = [
    (
        "noise_db",
        "quiet* loud* nois* silenzios* rumoros* silencios* ruidos* barulhent* leise* laut lauter* lautest* \
         silencieu* bruyant*",
    ),
    (
        "width_cm",
        "small* narrow* slim* compact* kompakt* compatt* piccol* pequeñ* pequen* kleiner* kleinst* schmal* petit* \
         strett* estrech* estreit*",
    ),
    (
        "weight_kg",
        "lighter lightest heav* legger* pesant* ligera* ligero* leve leichter* schwerer* léger*",
    ),
    (
        "water_l",
        "tank* serbatoi* depósito* reservat* *wassertank* réservoir*",
    ),
    (
        "power_w",
        "powerful watt* potent* leistung* stärker* puissan*",
    ),
    ("hopper_g", "hopper* tramoggi* tolva* bohnenbehälter*"),
    ("pressure_bar", "pressure pression* presión pressão druck"),
];

/// Whether a message speaks of discounts.
pub fn discount(text: &str) -> bool {
    text.contains('%') || occur(DISCOUNT, text)
}

/// Whether it asks what something costs.
pub fn price(text: &str) -> bool {
    occur(PRICE, text)
}

/// Whether it asks to see something, or which one.
pub fn showing(text: &str) -> bool {
    occur(SHOWING, text)
}

/// Whether it compares.
pub fn comparing(text: &str) -> bool {
    occur(COMPARING, text)
}

/// Whether it asks if something is sold.
pub fn selling(text: &str) -> bool {
    occur(SELLING, text)
}

/// Whether it asks if there is something.
pub fn having(text: &str) -> bool {
    occur(HAVING, text)
}

/// Whether it says that something is to be bought.
pub fn taking(text: &str) -> bool {
    occur(TAKING, text)
}

/// Whether it says that something was bought.
pub fn bought(text: &str) -> bool {
    occur(BOUGHT, text)
}

/// Whether it says that something is not there or not known.
pub fn lacking(text: &str) -> bool {
    occur(LACKING, text)
}

/// Whether it speaks of shipping.
pub fn shipping(text: &str) -> bool {
    occur(SHIPPING, text)
}

/// Whether it points at something without a name.
pub fn vague(text: &str) -> bool {
    occur(VAGUE, text)
}

/// Whether it speaks of something that arrives.
pub fn arriving(text: &str) -> bool {
    occur(ARRIVING, text)
}

/// Whether it wants something changed or called off.
pub fn changing(text: &str) -> bool {
    occur(CHANGING, text)
}

/// The attribute that a message compares by.
pub fn measure(text: &str) -> Option<&'static str> {
    MEASURES
        .iter()
        .find(|(_, words)| occur(words, text))
        .map(|(key, _)| *key)
}

fn occur(patterns: &str, text: &str) -> bool {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let padded = format!(" {} ", words.join(" "));
    patterns.split_whitespace().any(|pattern| {
        let start = if pattern.starts_with('*') { "" } else { " " };
        let end = if pattern.ends_with('*') { "" } else { " " };
        let middle = pattern.trim_matches('*').replace('_', " ");
        padded.contains(&format!("{start}{middle}{end}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_beginnings_and_endings() {
        let table = [
            ("Studentenrabatt?", true),
            ("C'è uno SCONTO?", true),
            ("can you do a better price", true),
            ("wie bekomme ich die 10%", true),
            ("decode this", false),
            ("precio de la Pannina?", false),
            ("", false),
        ];
        for (text, expected) in table {
            assert_eq!(discount(text), expected, "{text}");
        }
        assert!(price("¿precio de la Pannina?") && price("Preis Aria?") && !price("priority"));
        assert!(selling("¿vendéis patinetes?") && !selling("venga"));
        assert!(taking("¿la puedo comprar?") && !taking("l'ho comprata ieri"));
        assert!(bought("l'ho comprata ieri") && !bought("vorrei comprarla"));
        assert!(lacking("I don't know it") && lacking("hab keine Nummer") && !lacking("10432"));
    }

    #[test]
    fn a_comparative_names_its_measure() {
        assert_eq!(measure("which is quieter?"), Some("noise_db"));
        assert_eq!(measure("welche ist schmaler?"), Some("width_cm"));
        assert_eq!(measure("which is nicer?"), None);
    }
}
