//! Which media type a client wants its answer in (GraphQL over HTTP, section 6.1).

use actix_web::HttpRequest;
use actix_web::http::header;

/// Media types of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// `application/graphql-response+json`: the status tells what happened.
    GraphqlResponse,
    /// `application/json`: the status is 200 for every well-formed request.
    Json,
}

impl Media {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }
}

/// The media type to answer in; none where the client takes neither.
pub(crate) fn media(http: &HttpRequest) -> Option<Media> {
    let accept: Vec<&str> =
        http.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok()).collect();
    choose(&accept.join(","))
}

fn choose(accept: &str) -> Option<Media> {
    if accept.trim().is_empty() {
        return Some(Media::Json);
    }
    let mut best: Option<(u16, u8, Media)> = None;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        // How exactly the range names a type decides between equal weights.
        let (media, exactness) = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "application/graphql-response+json" => (Media::GraphqlResponse, 2),
            "application/json" => (Media::Json, 2),
            "application/*" => (Media::Json, 1),
            "*/*" => (Media::Json, 0),
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(1_000, thousandths);
        let modern = u8::from(media == Media::GraphqlResponse);
        let rank = (weight, exactness + modern, media);
        if weight > 0 && best.is_none_or(|(w, e, _)| (weight, exactness + modern) > (w, e)) {
            best = Some(rank);
        }
    }
    best.map(|(.., media)| media)
}

/// A weight such as `0.8`, in thousandths; a broken one counts as none.
fn thousandths(text: &str) -> u16 {
    match text.split_once('.') {
        None => text.parse::<u16>().map_or(0, |whole| whole.min(1) * 1_000),
        Some((whole, fraction)) if fraction.len() <= 3 => {
            let fraction = format!("{fraction:0<3}").parse::<u16>().unwrap_or_default();
            (whole.parse::<u16>().unwrap_or_default() * 1_000 + fraction).min(1_000)
        }
        Some(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_chooses() {
        let (modern, json) = (Some(Media::GraphqlResponse), Some(Media::Json));
        for (accept, chosen) in [
            ("", json),
            ("*/*", json),
            ("application/*", json),
            ("application/json", json),
            ("application/graphql-response+json", modern),
            ("application/graphql-response+json; charset=utf-8", modern),
            ("application/graphql-response+json, application/json;q=0.9", modern),
            ("application/graphql-response+json;q=0.5, application/json;q=0.9", json),
            ("application/graphql-response+json, application/json", modern),
            ("application/json, application/graphql-response+json", modern),
            ("application/graphql-response+json, */*", modern),
            ("text/html, */*;q=0.8", json),
            ("text/html", None),
            ("application/json;q=0", None),
            ("Application/JSON", json),
        ] {
            assert_eq!(choose(accept), chosen, "{accept}");
        }
    }
}
