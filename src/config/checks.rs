//! Checks of values that are well-formed each but wrong in themselves or together.

use secrecy::ExposeSecret;
use url::Url;

use super::draft::Draft;
use super::hours::DeskHours;
use super::{Config, EmbeddingProvider, PaymentProvider, micros};

/// Seconds for a turn, at most: a lease that lasts ten minutes is taken for one of a clock that was wrong.
const DEADLINE: u64 = 540;

/// A contradiction.
pub(super) struct Finding {
    /// The keys it is about; reported where the first of them that was written stands.
    pub(super) keys: Vec<&'static str>,
    /// What is wrong and what would be right.
    pub(super) message: String,
}

/// What is allowed but probably not meant.
#[must_use]
pub fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    if config.payments.provider == Some(PaymentProvider::Demo) && !config.demo {
        warnings.push(
            "payments.provider is \"demo\" outside a demo: links open a page where no money moves"
                .to_owned(),
        );
    }
    if config.llm.api_key.is_some() && config.llm.base_url.is_none() {
        warnings
            .push("llm.api_key is set without llm.base_url: the offline model answers".to_owned());
    }
    let reranker = &config.retrieval.reranker;
    if reranker.api_key.is_some() && reranker.url.is_none() {
        warnings.push(
            "retrieval.reranker.api_key is set without retrieval.reranker.url: nothing is reranked"
                .to_owned(),
        );
    }
    warnings
}

/// Everything that is wrong with a configuration whose values all have the right type.
pub(super) fn check(config: &Config, draft: &Draft) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    shop(config, &mut findings);
    server(config, &mut findings);
    addresses(config, &mut findings);
    secrets(config, &mut findings);
    whatsapp(config, draft, &mut findings);
    messages(config, &mut findings);
    sending(config, &mut findings);
    providers(config, &mut findings);
    ranges(config, &mut findings);
    findings.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, keys: &[&'static str], message: impl Into<String>) {
        self.0.push(Finding {
            keys: keys.to_vec(),
            message: message.into(),
        });
    }
}

fn shop(config: &Config, findings: &mut Findings) {
    if config.shop.languages.is_empty() {
        findings.add(
            &["shop.languages"],
            "`shop.languages` is empty; name at least one, for example [\"en\"]",
        );
    }
    let zone = &config.shop.timezone;
    if jiff::tz::TimeZone::get(zone).is_err() {
        let message = format!(
            "`shop.timezone` is `{zone}`, which is no known time zone; use an IANA name such as \"Europe/Rome\""
        );
        findings.add(&["shop.timezone"], message);
    }
    if let Err(message) = DeskHours::parse(&config.desk.hours) {
        findings.add(&["desk.hours"], format!("`desk.hours`: {message}"));
    }
    let folders = [
        ("knowledge.path", &config.knowledge.path, "catalog.csv"),
        ("agent.texts", &config.agent.texts, "prompts/ or tools/"),
    ];
    for (key, path, holds) in folders {
        if let Some(path) = path.as_ref().filter(|path| !path.is_dir()) {
            let message = format!(
                "`{key}`: there is no folder {}; name the one that holds {holds}",
                path.display()
            );
            findings.add(&[key], message);
        }
    }
}

fn server(config: &Config, findings: &mut Findings) {
    let listen = &config.server.listen;
    match host_of(listen) {
        None => {
            let message = format!(
                "`server.listen` is `{listen}`; write HOST:PORT, for example \"127.0.0.1:8080\""
            );
            findings.add(&["server.listen"], message);
        }
        Some(host) if config.demo && !config.demo_public && !is_loopback(host) => {
            let message = "a demo may listen on this machine only; use \"127.0.0.1:8080\", or set demo = false, or \
                           allow it with demo_public = true";
            findings.add(&["server.listen", "demo", "demo_public"], message);
        }
        Some(_) => {}
    }
    for origin in &config.mcp.allowed_origins {
        let plain =
            Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin);
        if !plain {
            let message = "`mcp.allowed_origins` has an entry that is no origin; write for example \"https://shop.example\"";
            findings.add(&["mcp.allowed_origins"], message);
        }
    }
    for host in &config.mcp.allowed_hosts {
        if host.is_empty() || host.contains(['/', ' ', '@']) {
            let message = "`mcp.allowed_hosts` has an entry that is no host; write for example \"shop.example\"";
            findings.add(&["mcp.allowed_hosts"], message);
        }
    }
    for server in &config.mcp.authorization_servers {
        if let Err(message) = web_address(server) {
            let message = format!("`mcp.authorization_servers`: an entry {message}");
            findings.add(&["mcp.authorization_servers"], message);
        }
    }
}

/// The host of `HOST:PORT`, without brackets.
fn host_of(listen: &str) -> Option<&str> {
    let (host, port) = listen.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match bracketed {
        Some(host) => host.parse::<std::net::Ipv6Addr>().is_ok().then_some(host),
        None => {
            let allowed =
                |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-');
            (!host.is_empty() && host.chars().all(allowed)).then_some(host)
        }
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn addresses(config: &Config, findings: &mut Findings) {
    let addresses = [
        ("server.public_url", config.server.public_url.as_deref()),
        ("llm.base_url", config.llm.base_url.as_deref()),
        ("embedding.base_url", config.embedding.base_url.as_deref()),
        (
            "transcription.base_url",
            config.transcription.base_url.as_deref(),
        ),
        ("retrieval.url", config.retrieval.url.as_deref()),
        (
            "retrieval.reranker.url",
            config.retrieval.reranker.url.as_deref(),
        ),
        (
            "whatsapp.graph_url",
            Some(config.whatsapp.graph_url.as_str()),
        ),
        (
            "payments.stripe_url",
            Some(config.payments.stripe_url.as_str()),
        ),
    ];
    for (key, address) in addresses {
        let Some(address) = address else { continue };
        if let Err(message) = web_address(address) {
            findings.add(&[key], format!("`{key}` {message}"));
        } else if key.ends_with(".base_url") && !address.ends_with("/v1") {
            findings.add(
                &[key],
                format!("`{key}` must end in /v1, for example \"http://127.0.0.1:11434/v1\""),
            );
        }
    }
}

/// Says what is wrong without repeating the address: it may hold a password.
fn web_address(address: &str) -> Result<(), &'static str> {
    let right = "is not a web address; write for example \"https://shop.example\"";
    let url = Url::parse(address).map_err(|_| right)?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(right);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user name or password in it; use the section's key for that");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a `?` or `#` in it; end it with the path");
    }
    Ok(())
}

fn secrets(config: &Config, findings: &mut Findings) {
    let single = [
        ("llm.api_key", &config.llm.api_key),
        ("embedding.api_key", &config.embedding.api_key),
        ("transcription.api_key", &config.transcription.api_key),
        ("retrieval.api_key", &config.retrieval.api_key),
        (
            "retrieval.reranker.api_key",
            &config.retrieval.reranker.api_key,
        ),
        ("whatsapp.verify_token", &config.whatsapp.verify_token),
        ("whatsapp.access_token", &config.whatsapp.access_token),
        (
            "payments.stripe_secret_key",
            &config.payments.stripe_secret_key,
        ),
        (
            "payments.stripe_webhook_secret",
            &config.payments.stripe_webhook_secret,
        ),
        ("desk.password", &config.desk.password),
        ("server.api_token", &config.server.api_token),
    ];
    let single = single
        .into_iter()
        .filter_map(|(key, secret)| Some((key, secret.as_ref()?)));
    let several = config
        .whatsapp
        .app_secret
        .iter()
        .map(|secret| ("whatsapp.app_secret", secret));
    for (key, secret) in single.chain(several) {
        if secret.expose_secret().trim().is_empty() {
            findings.add(&[key], format!("`{key}` is empty; fill it in or remove it"));
        }
    }
}

fn whatsapp(config: &Config, draft: &Draft, findings: &mut Findings) {
    if !config.whatsapp.app_secret.is_empty() {
        return;
    }
    let others = [
        "whatsapp.verify_token",
        "whatsapp.access_token",
        "whatsapp.phone_number_id",
        "whatsapp.waba_id",
        "whatsapp.graph_url",
        "whatsapp.numbers",
        "whatsapp.timeout_seconds",
        "whatsapp.catalog_id",
        "whatsapp.code_template",
        "whatsapp.messages_per_second",
        "whatsapp.people_per_day",
    ];
    for key in others {
        if draft.value(key).is_some() {
            let message = format!(
                "`{key}` is set without `whatsapp.app_secret`; set the app secret too, because unsigned messages are never accepted"
            );
            findings.add(&[key, "whatsapp.app_secret"], message);
        }
    }
}

/// A token that can be guessed opens a door that writes to customers.
const SHORTEST_TOKEN: usize = 16;

fn messages(config: &Config, findings: &mut Findings) {
    let token = config.server.api_token.as_ref();
    if token.is_some_and(|token| (1..SHORTEST_TOKEN).contains(&token.expose_secret().trim().len()))
    {
        findings.add(
            &["server.api_token"],
            "`server.api_token` is shorter than 16 characters; make one, for example with `openssl rand -hex 32`",
        );
    }
    if config
        .agent
        .disclosure
        .values()
        .any(|text| text.trim().is_empty())
    {
        findings.add(
            &["agent.disclosure"],
            "`agent.disclosure` has an empty text; customers must be told that they talk to an AI",
        );
    }
    if let Some(path) = config
        .whatsapp
        .templates
        .as_ref()
        .filter(|path| !path.is_dir())
    {
        let message = format!(
            "`whatsapp.templates`: there is no folder {}; name the one that holds the templates",
            path.display()
        );
        findings.add(&["whatsapp.templates"], message);
    }
}

fn sending(config: &Config, findings: &mut Findings) {
    let whatsapp = &config.whatsapp;
    if !(1..=1_000).contains(&whatsapp.messages_per_second) {
        findings.add(
            &["whatsapp.messages_per_second"],
            "`whatsapp.messages_per_second` must lie between 1 and 1000",
        );
    }
    if whatsapp
        .people_per_day
        .is_some_and(|people| people > 1_000_000)
    {
        let message = "`whatsapp.people_per_day` must lie between 1 and 1000000, or be 0 to leave it to WhatsApp";
        findings.add(&["whatsapp.people_per_day"], message);
    }
    let rates = &whatsapp.rates;
    let prices = [
        ("whatsapp.rates.service", Some(&rates.service)),
        ("whatsapp.rates.utility", Some(&rates.utility)),
        ("whatsapp.rates.marketing", Some(&rates.marketing)),
        ("whatsapp.rates.marketing_lite", Some(&rates.marketing_lite)),
        ("whatsapp.rates.authentication", Some(&rates.authentication)),
        (
            "whatsapp.rates.authentication_international",
            Some(&rates.authentication_international),
        ),
        (
            "whatsapp.budget.conversation",
            whatsapp.budget.conversation.as_ref(),
        ),
        ("whatsapp.budget.day", whatsapp.budget.day.as_ref()),
    ];
    for (key, price) in prices {
        if price.is_some_and(|price| micros(price).is_none()) {
            let message = format!(
                "`{key}` is no amount; write a decimal of at most six places as a text, for example \"0.0248\""
            );
            findings.add(&[key], message);
        }
    }
}

fn providers(config: &Config, findings: &mut Findings) {
    if config.embedding.provider == EmbeddingProvider::Openai && config.embedding.base_url.is_none()
    {
        let message = "`embedding.provider` is \"openai\", which needs `embedding.base_url`; set it, for example to \
                       \"https://api.openai.com/v1\"";
        findings.add(&["embedding.provider", "embedding.base_url"], message);
    }
    if config.payments.provider != Some(PaymentProvider::Stripe) {
        return;
    }
    let needed = [
        (
            "payments.stripe_secret_key",
            config.payments.stripe_secret_key.is_some(),
        ),
        (
            "payments.stripe_webhook_secret",
            config.payments.stripe_webhook_secret.is_some(),
        ),
    ];
    for (key, _) in needed.into_iter().filter(|(_, there)| !there) {
        let message = format!("`payments.provider` is \"stripe\", which needs `{key}`; set it");
        findings.add(&["payments.provider", key], message);
    }
}

fn ranges(config: &Config, findings: &mut Findings) {
    if !(0.0..=2.0).contains(&config.llm.temperature) {
        findings.add(
            &["llm.temperature"],
            "`llm.temperature` must lie between 0 and 2",
        );
    }
    if !(1..=DEADLINE).contains(&config.agent.deadline_seconds) {
        let message = format!("`agent.deadline_seconds` must lie between 1 and {DEADLINE}");
        findings.add(&["agent.deadline_seconds"], message);
    }
    if !(0.0..=60.0).contains(&config.agent.debounce_seconds) {
        findings.add(
            &["agent.debounce_seconds"],
            "`agent.debounce_seconds` must lie between 0 and 60",
        );
    }
    if !(0.0..=300.0).contains(&config.agent.burst_seconds) {
        findings.add(
            &["agent.burst_seconds"],
            "`agent.burst_seconds` must lie between 0 and 300",
        );
    }
    if !(-1.0..=0.0).contains(&config.agent.upset_below) {
        findings.add(
            &["agent.upset_below"],
            "`agent.upset_below` must lie between -1 and 0",
        );
    }
    if config.retrieval.collection.trim().is_empty() {
        findings.add(
            &["retrieval.collection"],
            "`retrieval.collection` is empty; name it, for example \"sportello\"",
        );
    }
}
