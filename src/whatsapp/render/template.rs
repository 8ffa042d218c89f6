//! A filled template as Meta takes it.

use crate::domain::{ButtonFilling, Filling, TemplateMessage, TemplateValue};
use crate::whatsapp::message::{
    ButtonKind, Content, FormError, Media, MediaSource, Parameter, Template,
};

/// The message that sends a template.
///
/// # Errors
/// When something in it does not fit.
pub(super) fn content(filled: &TemplateMessage) -> Result<Content, FormError> {
    let mut template = Template::new(&filled.name, &filled.language)?;
    if let Some(value) = &filled.header {
        template = template.header(parameter(value)?);
    }
    let body = filled
        .body
        .iter()
        .map(parameter)
        .collect::<Result<_, _>>()?;
    template = template.body(body);
    for button in &filled.buttons {
        let (kind, parameter) = match &button.value {
            ButtonFilling::Url { suffix } => (ButtonKind::Url, Parameter::text(None, suffix)),
            ButtonFilling::Payload { payload } => {
                (ButtonKind::QuickReply, Parameter::payload(payload.clone()))
            }
            ButtonFilling::Coupon { code } => (ButtonKind::CopyCode, Parameter::coupon(code)?),
        };
        template = template.button(button.index, kind, parameter)?;
    }
    Ok(template.into())
}

fn parameter(value: &TemplateValue) -> Result<Parameter, FormError> {
    let name = value.name.as_deref();
    let media = |link: &str| Media::new(MediaSource::Link(link.to_owned()));
    Ok(match &value.value {
        Filling::Text { text } => Parameter::text(name, text),
        Filling::Currency { amount, text } => {
            Parameter::currency(name, text, amount.currency.code(), amount.minor)?
        }
        Filling::DateTime { text } => Parameter::date_time(name, text),
        Filling::Image { link } => Parameter::Image { image: media(link) },
        Filling::Video { link } => Parameter::Video { video: media(link) },
        Filling::Document { link } => Parameter::Document {
            document: media(link),
        },
    })
}
