//! Who may be written to, and for what.

use serde::{Deserialize, Serialize};

/// The purpose of messages that sell.
pub const MARKETING: &str = "marketing";

/// Whether someone may be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentState {
    /// They said yes.
    Granted,
    /// They said no.
    Revoked,
}

impl ConsentState {
    /// The name in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Revoked => "revoked",
        }
    }
}

impl std::str::FromStr for ConsentState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "granted" => Ok(Self::Granted),
            "revoked" => Ok(Self::Revoked),
            _ => Err(format!("`{text}` is no state of a consent")),
        }
    }
}

/// A yes or a no, with what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentChange {
    /// What for, for example [`MARKETING`].
    pub purpose: String,
    /// Yes or no.
    pub state: ConsentState,
    /// How it was said: `keyword`, `whatsapp_settings`, `error_131050`, `desk`.
    pub source: String,
    /// The text that was shown when it was asked for.
    pub shown: Option<String>,
    /// What proves it, for example the id of the message.
    pub proof: Option<String>,
}

impl ConsentChange {
    /// A yes or no to messages that sell.
    #[must_use]
    pub fn marketing(state: ConsentState, source: &str, proof: Option<String>) -> Self {
        Self {
            purpose: MARKETING.to_owned(),
            state,
            source: source.to_owned(),
            shown: None,
            proof,
        }
    }
}

/// Whole messages that end a subscription, as people and laws of several countries know them.
const STOP: [&str; 52] = [
    "stop",
    "stopp",
    "stop all",
    "stopall",
    "unsubscribe",
    "optout",
    "opt out",
    "opt-out",
    "end messages",
    "stop promotions",
    "stop offers",
    "stop marketing",
    "no more messages",
    "remove me",
    "unsubscribe from promos",
    "unsubscribe from all",
    "annulla",
    "basta",
    "cancellami",
    "cancella iscrizione",
    "disiscrivimi",
    "disiscriviti",
    "disiscrizione",
    "stop promozioni",
    "basta messaggi",
    "basta pubblicità",
    "baja",
    "darme de baja",
    "dar de baja",
    "darse de baja",
    "alto",
    "parar",
    "no más mensajes",
    "no mas mensajes",
    "stop publicidad",
    "sair",
    "cancelar inscrição",
    "cancelar subscrição",
    "descadastrar",
    "remover",
    "parar mensagens",
    "abmelden",
    "abbestellen",
    "austragen",
    "keine werbung",
    "keine nachrichten",
    "werbung stoppen",
    "arret",
    "arrêt",
    "désabonner",
    "se désabonner",
    "désinscription",
];

/// Whole messages that begin it again after a stop.
const START: [&str; 24] = [
    "start",
    "unstop",
    "resume",
    "subscribe",
    "opt in",
    "optin",
    "opt-in",
    "riprendi",
    "iscrivimi",
    "riattiva",
    "inizia",
    "alta",
    "darme de alta",
    "suscribirme",
    "reanudar",
    "voltar",
    "inscrever",
    "subscrever",
    "retomar",
    "anmelden",
    "fortsetzen",
    "reprendre",
    "s'abonner",
    "abonner",
];

/// What a whole message asks for. A word inside a sentence, as in "stop the order", asks for nothing.
#[must_use]
pub fn consent_word(text: &str) -> Option<ConsentState> {
    let bare: String = text
        .trim_matches(|character: char| !character.is_alphanumeric())
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase();
    if STOP.contains(&bare.as_str()) {
        Some(ConsentState::Revoked)
    } else if START.contains(&bare.as_str()) {
        Some(ConsentState::Granted)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_messages_ask() {
        for text in [
            "STOP",
            " stop! ",
            "Unsubscribe",
            "ANNULLA",
            "Basta.",
            "CANCELLAMI",
            "baja",
            "PARAR",
            "Sair",
            "«abmelden»",
            "STOPP",
            "opt-out",
            "darme  de\nbaja",
            "Arrêt",
        ] {
            assert_eq!(consent_word(text), Some(ConsentState::Revoked), "{text}");
        }
        for text in ["START", "riprendi", "Alta", "voltar!", "Anmelden"] {
            assert_eq!(consent_word(text), Some(ConsentState::Granted), "{text}");
        }
        for text in [
            "stop the order",
            "Basta così, grazie",
            "quiero parar el pedido",
            "non annullare",
            "how do I unsubscribe?",
            "",
            "?!",
            "stopstop",
            "starten Sie bitte",
        ] {
            assert_eq!(consent_word(text), None, "{text}");
        }
    }

    #[test]
    fn no_word_is_there_twice_or_on_both_sides() {
        let mut words: Vec<&str> = STOP.iter().chain(&START).copied().collect();
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all);
        for word in words {
            assert!(consent_word(&word.to_uppercase()).is_some(), "{word}");
        }
    }
}
