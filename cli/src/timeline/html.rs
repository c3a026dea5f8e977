//! A page with the picture and its tables. It needs nothing from elsewhere, and its policy lets it load nothing.

use super::model::{Source, Span, Timeline};
use super::svg;
use super::words;
use super::xml::Xml;

const STYLE: &str = "
:root { color-scheme: light dark; font-family: -apple-system, BlinkMacSystemFont, \"Segoe UI\", \"Noto Sans\", sans-serif }
body { max-width: 920px; margin: 2em auto; padding: 0 1em }
svg { max-width: 100%; height: auto }
table { border-collapse: collapse; width: 100%; font-size: 14px }
th, td { text-align: left; vertical-align: top; padding: 4px 12px 4px 0; border-bottom: 1px solid #8886; overflow-wrap: anywhere }
td.time { white-space: nowrap }
";
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The page.
#[must_use]
pub fn page(timeline: &Timeline) -> String {
    let mut page = Xml::default();
    page.raw("<!DOCTYPE html>\n");
    page.open("html", &[("lang", "en")]);
    page.open("head", &[]);
    page.empty("meta", &[("charset", "utf-8")]);
    page.empty("meta", &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)]);
    page.empty("meta", &[("name", "viewport"), ("content", "width=device-width")]);
    page.leaf("title", &[], &format!("The life of the pod {}", timeline.pod));
    page.raw(&format!("<style>{STYLE}</style>\n"));
    page.close();
    page.open("body", &[]);
    page.raw(&svg::text(timeline));
    page.leaf("h2", &[], "Containers");
    let rows = timeline.containers.iter().flat_map(|lane| {
        let none = [lane.container.clone(), lane.role.to_owned(), String::new(), String::new(), lane.state.clone()];
        let row = |span: &Span| {
            let time = |at: Option<jiff::Timestamp>| at.map(words::day).unwrap_or_default();
            let code = span.exit_code.map_or_else(|| "runs".to_owned(), |code| format!("exit {code}"));
            [lane.container.clone(), lane.role.to_owned(), time(span.started), time(span.ended), code]
        };
        let rows = lane.instances.iter().map(row).collect::<Vec<_>>();
        if rows.is_empty() { vec![none] } else { rows }
    });
    table(&mut page, ["container", "part", "started", "ended", "state"], rows);
    page.leaf("h2", &[], "Instants");
    let rows = timeline.instants.iter().filter_map(|instant| {
        let source = match instant.source {
            Source::Pod => "pod",
            Source::Event => "Event",
            Source::Log => "log",
        };
        let day = instant.at.strftime("%Y-%m-%d").to_string();
        let texts = [words::after(timeline.from?, instant), day, words::clock(instant), source.to_owned(), instant.text.clone()];
        Some(texts)
    });
    table(&mut page, ["after", "day (UTC)", "time", "source", "what"], rows);
    page.finish()
}

fn table(page: &mut Xml, head: [&str; 5], rows: impl Iterator<Item = [String; 5]>) {
    page.open("table", &[]);
    page.open("tr", &[]);
    for cell in head {
        page.leaf("th", &[], cell);
    }
    page.close();
    for row in rows {
        page.open("tr", &[]);
        for (place, cell) in row.iter().enumerate() {
            page.leaf("td", if place < 4 { &[("class", "time")] } else { &[] }, cell);
        }
        page.close();
    }
    page.close();
}
