//! Markdown as plain text, section by section.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// A run of text below one heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    /// The headings above it, outermost first.
    pub(super) headings: Vec<String>,
    /// The text; paragraphs are separated by an empty line, list items and table rows by a line break.
    pub(super) text: String,
}

/// The sections of a Markdown text in order; none has an empty text.
pub(super) fn sections(markdown: &str) -> Vec<Section> {
    let mut reader = Reader::default();
    for event in Parser::new_ext(
        markdown,
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH,
    ) {
        reader.event(event);
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    sections: Vec<Section>,
    /// Open headings with their level and whether anything stands below them.
    headings: Vec<Heading>,
    text: String,
    block: String,
    /// One entry for each open list: the next number, or none for bullets.
    lists: Vec<Option<u64>>,
    /// Addresses of the open links.
    links: Vec<String>,
    /// Whether the block before was a list item or a table row.
    after_line: bool,
}

struct Heading {
    level: HeadingLevel,
    title: String,
    used: bool,
}

impl Reader {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text)
            | Event::Code(text)
            | Event::InlineMath(text)
            | Event::DisplayMath(text) => {
                self.block.push_str(&text);
            }
            Event::Html(markup) | Event::InlineHtml(markup) => {
                self.block.push_str(&without_tags(&markup))
            }
            Event::FootnoteReference(name) => self.block.push_str(&name),
            Event::SoftBreak => self.block.push(' '),
            Event::HardBreak => self.block.push('\n'),
            Event::Rule => self.flush(false),
            Event::TaskListMarker(done) => self.block.push_str(if done { "[x] " } else { "[ ] " }),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        if let Tag::Heading { level, .. } = tag {
            self.flush(false);
            self.close_section();
            self.close_headings(Some(level));
        } else if let Tag::List(first) = tag {
            self.flush(!self.lists.is_empty());
            self.lists.push(first);
        } else if let Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } = &tag {
            let address = if matches!(tag, Tag::Link { .. }) {
                dest_url.to_string()
            } else {
                String::new()
            };
            self.links.push(address);
        } else if matches!(tag, Tag::Item) {
            self.flush(true);
            let bullet = self.bullet();
            self.block.push_str(&bullet);
        } else if matches!(tag, Tag::TableHead | Tag::TableRow) {
            self.flush(true);
        } else if matches!(tag, Tag::TableCell) && !self.block.is_empty() {
            self.block.push_str(" | ");
        } else if matches!(tag, Tag::CodeBlock(_) | Tag::BlockQuote(_) | Tag::HtmlBlock) {
            self.flush(false);
        }
    }

    fn end(&mut self, tag: TagEnd) {
        if let TagEnd::Heading(level) = tag {
            let title = one_line(&std::mem::take(&mut self.block));
            self.headings.push(Heading {
                level,
                title,
                used: false,
            });
        } else if matches!(tag, TagEnd::Link | TagEnd::Image) {
            let address = self.links.pop().unwrap_or_default();
            if address.contains(':') && !self.block.ends_with(address.trim_start_matches("mailto:"))
            {
                self.block.push_str(&format!(" ({address})"));
            }
        } else if matches!(tag, TagEnd::List(_)) {
            self.flush(true);
            self.lists.pop();
            self.after_line = !self.lists.is_empty();
        } else if matches!(tag, TagEnd::TableHead | TagEnd::TableRow) {
            self.flush(true);
        } else if matches!(tag, TagEnd::Table) {
            self.after_line = false;
        } else if matches!(
            tag,
            TagEnd::Paragraph | TagEnd::Item | TagEnd::CodeBlock | TagEnd::HtmlBlock
        ) {
            self.flush(!self.lists.is_empty());
        }
    }

    /// The mark before the next list item.
    fn bullet(&mut self) -> String {
        match self.lists.last_mut() {
            Some(Some(number)) => {
                let mark = format!("{number}. ");
                *number = number.saturating_add(1);
                mark
            }
            Some(None) | None => "- ".to_owned(),
        }
    }

    /// Adds the open block to the text; lines of a list or table stand close together.
    fn flush(&mut self, line: bool) {
        let block = std::mem::take(&mut self.block);
        let block = block.trim();
        if block.is_empty() || block == "-" {
            return;
        }
        if !self.text.is_empty() {
            self.text.push_str(if line && self.after_line {
                "\n"
            } else {
                "\n\n"
            });
        }
        self.text.push_str(block);
        self.after_line = line;
    }

    fn close_section(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.after_line = false;
        if text.is_empty() {
            return;
        }
        for heading in &mut self.headings {
            heading.used = true;
        }
        let headings = self.headings.iter().map(|heading| heading.title.clone());
        self.sections.push(Section {
            headings: headings.filter(|title| !title.is_empty()).collect(),
            text,
        });
    }

    /// Closes the headings that end where one of this level begins. One with nothing below it becomes text.
    fn close_headings(&mut self, level: Option<HeadingLevel>) {
        while let Some(last) = self
            .headings
            .pop_if(|last| level.is_none_or(|level| last.level >= level))
        {
            if !last.used && !last.title.is_empty() {
                self.text = last.title;
                self.close_section();
            }
        }
    }

    fn finish(mut self) -> Vec<Section> {
        self.flush(false);
        self.close_section();
        self.close_headings(None);
        self.sections
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn without_tags(markup: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for letter in markup.chars() {
        match letter {
            '<' => inside = true,
            '>' if inside => inside = false,
            _ if !inside => text.push(letter),
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_goes_and_structure_stays() {
        let sections = sections(
            "Intro with **bold** and [a link](https://shop.example/x).\n\n# One\n\n1. first\n2. second\n   - inner\n\n\
             After.\n\n## Two\n\n| Zone | Price |\n|---|---|\n| Italy | €5 |\n\n# Empty\n\n# Last\n\n`code` <b>html</b>\n",
        );
        let plain: Vec<(String, &str)> = sections
            .iter()
            .map(|section| (section.headings.join(" > "), section.text.as_str()))
            .collect();
        let expected = [
            ("", "Intro with bold and a link (https://shop.example/x)."),
            ("One", "1. first\n2. second\n- inner\n\nAfter."),
            ("One > Two", "Zone | Price\nItaly | €5"),
            ("", "Empty"),
            ("Last", "code html"),
        ];
        assert_eq!(
            plain,
            expected.map(|(headings, text)| (headings.to_owned(), text))
        );
    }
}
