//! A small shop in five languages as points, and shorthands to search it.

use sportello::domain::{Language, Passage, PassageKind, Ranking};
use sportello::ports::{Generation, Index, IndexPoint, SearchRequest};

pub(super) const DIMENSION: usize = 8;
const LANGUAGES: [Language; 5] = [
    Language::EN,
    Language::IT,
    Language::ES,
    Language::PT,
    Language::DE,
];

/// Title and text of the espresso machine, the grinder, the cups and the beans, then two entries of
/// the FAQ and two policies, by language.
const TEXTS: [[(&str, &str); 8]; 5] = [
    [
        ("Aria", "Espresso machine for small kitchens"),
        ("Molino", "Quiet grinder for fresh coffee"),
        ("Tazza", "Set of two porcelain cups"),
        ("Chicchi", "Roasted beans from Brazil"),
        ("Invoice", "You receive your invoice by e-mail"),
        ("Descaling", "Descale the machine every two months"),
        ("Returns", "Items can be returned within thirty days"),
        ("Shipping", "We ship within two working days"),
    ],
    [
        ("Aria", "Macchina espresso per cucine piccole"),
        ("Molino", "Macinino silenzioso per caffè fresco"),
        ("Tazza", "Due tazze di porcellana"),
        ("Chicchi", "Grani tostati del Brasile"),
        ("Fattura", "La fattura arriva per posta elettronica"),
        ("Calcare", "Decalcificare ogni due mesi le macchine"),
        ("Resi", "Gli articoli si restituiscono entro trenta giorni"),
        ("Spedizioni", "Spediamo entro due giorni lavorativi"),
    ],
    [
        ("Aria", "Máquina espresso para cocinas pequeñas"),
        ("Molino", "Molinillo silencioso para café fresco"),
        ("Tazza", "Dos tazas de porcelana"),
        ("Chicchi", "Granos tostados de Brasil"),
        ("Factura", "La factura llega por correo electrónico"),
        ("Cal", "Descalcificar las máquinas cada dos meses"),
        ("Devoluciones", "Los artículos se devuelven en treinta días"),
        ("Envíos", "Enviamos en dos días laborables"),
    ],
    [
        ("Aria", "Máquina de café expresso para cozinhas pequenas"),
        ("Molino", "Moedor silencioso para café fresco"),
        ("Tazza", "Duas chávenas de porcelana"),
        ("Chicchi", "Grãos torrados do Brasil"),
        ("Fatura", "A fatura chega por correio eletrónico"),
        ("Calcário", "Descalcificar as máquinas a cada dois meses"),
        ("Devoluções", "Os artigos são devolvidos em trinta dias"),
        ("Envios", "Enviamos em dois dias úteis"),
    ],
    [
        ("Aria", "Espressomaschine für kleine Küchen"),
        ("Molino", "Leise Mühle für frischen Kaffee"),
        ("Tazza", "Zwei Tassen aus Porzellan"),
        ("Chicchi", "Geröstete Bohnen aus Brasilien"),
        ("Rechnung", "Die Rechnung kommt per E-Mail"),
        ("Kalk", "Maschinen alle zwei Monate entkalken"),
        (
            "Rückgabe",
            "Artikel innerhalb von dreißig Tagen zurückgeben",
        ),
        ("Versand", "Wir versenden innerhalb von zwei Werktagen"),
    ],
];

const CATEGORIES: [&str; 4] = ["machine", "grinder", "cup", "coffee"];
const PRICES: [i64; 4] = [29_900, 14_900, 1_990, 1_250];

pub(super) async fn build(index: &dyn Index, generation: &Generation, points: &[IndexPoint]) {
    index.begin(generation).await.unwrap();
    for batch in points.chunks(16) {
        index.add(batch).await.unwrap();
    }
    index.commit().await.unwrap();
}

pub(super) fn generation(name: &str, points: usize) -> Generation {
    Generation {
        name: name.to_owned(),
        model: "test".to_owned(),
        dimension: DIMENSION,
        content: format!("content of {name}"),
        vectors: true,
        points,
        documents: points,
        languages: LANGUAGES
            .into_iter()
            .map(|language| (language, points))
            .collect(),
    }
}

/// Forty points: four products, two FAQ entries and two policies in each language.
pub(super) fn points(vectors: bool) -> Vec<IndexPoint> {
    (0..LANGUAGES.len())
        .flat_map(|language| (0..8).map(move |entry| point(language, entry, vectors)))
        .collect()
}

fn point(language: usize, entry: usize, vectors: bool) -> IndexPoint {
    let (title, text) = TEXTS[language][entry];
    let kind = match entry {
        0..4 => PassageKind::Product,
        4 | 5 => PassageKind::Faq,
        _ => PassageKind::Policy,
    };
    let product = (kind == PassageKind::Product).then_some(entry);
    IndexPoint {
        passage: Passage {
            id: id(language, entry),
            document: format!("document-{entry}"),
            kind,
            title: title.to_owned(),
            headings: vec![kind.name().to_owned(), title.to_owned()],
            text: text.to_owned(),
            language: LANGUAGES[language],
            source: "texts.md".to_owned(),
            meta: serde_json::Map::new(),
            score: 0.0,
            ranking: Ranking::default(),
        },
        words: format!("{title}. {text}"),
        languages: LANGUAGES
            .into_iter()
            .filter(|known| entry < 7 || *known != Language::IT)
            .collect(),
        vector: vectors.then(|| vector(language, entry)),
        price: product.map(|entry| PRICES[entry]),
        in_stock: product.map(|entry| CATEGORIES[entry] != "cup"),
        category: product.map(|entry| CATEGORIES[entry].to_owned()),
    }
}

pub(super) fn id(language: usize, entry: usize) -> String {
    format!("document-{entry}:{}:0", LANGUAGES[language])
}

/// A vector that is near those of the same entry in other languages.
pub(super) fn vector(language: usize, entry: usize) -> Vec<f32> {
    let mut vector = vec![0.05; DIMENSION];
    vector[entry] = 1.0;
    vector[(entry + 1) % DIMENSION] += 0.3 + 0.01 * entry as f32;
    vector[(entry + 2 + language) % DIMENSION] += 0.1;
    vector
}

pub(super) fn words(text: &str, language: Language) -> SearchRequest {
    SearchRequest {
        words: Some((text.to_owned(), language)),
        limit: 10,
        ..SearchRequest::default()
    }
}

pub(super) fn ids(leg: &[(Passage, f32)]) -> Vec<String> {
    leg.iter().map(|(passage, _)| passage.id.clone()).collect()
}

pub(super) fn sorted_ids(leg: &[(Passage, f32)]) -> Vec<String> {
    let mut ids = ids(leg);
    ids.sort();
    ids
}
