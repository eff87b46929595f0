//! What the elements of feeds are called: RSS 0.90 to 2.0, RSS 1.1, Atom 0.3 and 1.0, and the
//! extensions that say something about an item.

/// A set of names, whatever prefix a document gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vocabulary {
    /// The names of RSS and Atom.
    Feed,
    /// Atom's names where the document declares them to be Atom's.
    Atom,
    DublinCore,
    DublinCoreTerms,
    Content,
    Xhtml,
    Media,
    Itunes,
    Prism,
    Syndication,
    /// One that says nothing that is used here.
    Other,
}

/// A part of an item or of the feed that an element gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Title,
    Summary,
    Content,
    Link,
    Id,
    Published,
    Updated,
    Author,
    Tag,
    Source,
    Language,
    /// The feed's wishes about when it is asked.
    Ttl,
    UpdatePeriod,
    UpdateFrequency,
    SkipHours,
    SkipDays,
}

/// The vocabulary that a namespace declares.
pub(super) fn of_namespace(uri: &str) -> Option<Vocabulary> {
    let uri = uri.trim().to_ascii_lowercase();
    let is = |starts: &[&str]| starts.iter().any(|start| uri.starts_with(start));
    Some(match () {
        () if is(&["http://www.w3.org/2005/atom", "https://www.w3.org/2005/atom"]) => {
            Vocabulary::Atom
        }
        () if is(&["http://purl.org/atom/"]) && !uri.contains("/app") => Vocabulary::Atom,
        () if is(&["http://purl.org/rss/1.0/modules/content"]) => Vocabulary::Content,
        () if is(&["http://purl.org/rss/1.0/modules/syndication"]) => Vocabulary::Syndication,
        () if is(&["http://purl.org/rss/1.0/modules/"]) => Vocabulary::Other,
        () if is(&[
            "http://purl.org/rss/1.0",
            "http://purl.org/net/rss1.1",
            "http://my.netscape.com/rdf/simple/0.9",
            "http://my.netscape.com/publish/formats/rss",
            "http://channel.netscape.com/rdf/simple/0.9",
            "http://backend.userland.com/rss",
            "http://blogs.law.harvard.edu/tech/rss",
            "http://cyber.law.harvard.edu/rss",
        ]) =>
        {
            Vocabulary::Feed
        }
        () if is(&["http://purl.org/dc/terms"]) => Vocabulary::DublinCoreTerms,
        () if is(&["http://purl.org/dc/"]) => Vocabulary::DublinCore,
        () if is(&["http://www.w3.org/1999/xhtml"]) => Vocabulary::Xhtml,
        () if is(&["http://search.yahoo.com/mrss", "https://search.yahoo.com/mrss"]) => {
            Vocabulary::Media
        }
        () if is(&["http://www.itunes.com/dtds/"]) => Vocabulary::Itunes,
        () if is(&["http://prismstandard.org/namespaces/"]) => Vocabulary::Prism,
        () => return None,
    })
}

/// The vocabulary that a prefix stands for where no declaration says so.
pub(super) fn of_prefix(prefix: &str) -> Vocabulary {
    match prefix {
        "rss" | "rdf" => Vocabulary::Feed,
        "atom" | "atom10" => Vocabulary::Atom,
        "dc" => Vocabulary::DublinCore,
        "dcterms" => Vocabulary::DublinCoreTerms,
        "content" => Vocabulary::Content,
        "xhtml" => Vocabulary::Xhtml,
        "media" => Vocabulary::Media,
        "itunes" => Vocabulary::Itunes,
        "prism" => Vocabulary::Prism,
        "sy" => Vocabulary::Syndication,
        _ => Vocabulary::Other,
    }
}

/// What an element gives, and how readily it is taken: the lowest number wins.
pub(super) fn field(vocabulary: Vocabulary, local: &str) -> Option<(Field, u8)> {
    use Field::{
        Author, Content, Id, Language, Link, Published, SkipDays, SkipHours, Source, Summary, Tag,
        Title, Ttl, UpdateFrequency, UpdatePeriod, Updated,
    };
    use Vocabulary as V;
    let core = match local {
        "title" => Some((Title, 0)),
        "description" | "summary" => Some((Summary, 0)),
        "abstract" => Some((Summary, 2)),
        "content" => Some((Content, 0)),
        "fullitem" | "body" => Some((Content, 4)),
        "link" => Some((Link, 0)),
        "enclosure" => Some((Link, 8)),
        "guid" | "id" => Some((Id, 0)),
        "pubdate" | "published" | "issued" => Some((Published, 0)),
        "created" => Some((Published, 2)),
        "date" => Some((Published, 4)),
        "updated" | "modified" => Some((Updated, 0)),
        "author" => Some((Author, 0)),
        "category" => Some((Tag, 0)),
        "source" => Some((Source, 0)),
        "language" => Some((Language, 0)),
        "ttl" => Some((Ttl, 0)),
        "skiphours" => Some((SkipHours, 0)),
        "skipdays" => Some((SkipDays, 0)),
        _ => None,
    };
    match (vocabulary, local) {
        (V::Feed, _) => core,
        (V::Atom, _) => core.map(|(field, rank)| (field, rank + 1)),
        (V::Content, "encoded") => Some((Content, 0)),
        (V::Xhtml, "body") => Some((Content, 2)),
        (V::Xhtml, "div") => Some((Content, 4)),
        (V::DublinCore | V::DublinCoreTerms, "title") => Some((Title, 2)),
        (V::DublinCore | V::DublinCoreTerms, "description" | "abstract") => Some((Summary, 2)),
        (V::DublinCore, "creator" | "author") => Some((Author, 0)),
        (V::DublinCore, "subject") => Some((Tag, 0)),
        (V::DublinCore, "language") => Some((Language, 1)),
        (V::DublinCore, "identifier") => Some((Id, 4)),
        (V::DublinCore, "date") => Some((Published, 2)),
        (V::DublinCoreTerms, "issued" | "date" | "available") => Some((Published, 3)),
        (V::DublinCoreTerms, "created") => Some((Published, 4)),
        (V::DublinCoreTerms, "modified") => Some((Updated, 2)),
        (V::Prism, "publicationdate") => Some((Published, 3)),
        (V::Media | V::Itunes, "title") => Some((Title, 4)),
        (V::Media, "description") | (V::Itunes, "summary") => Some((Summary, 4)),
        (V::Itunes, "subtitle") => Some((Summary, 6)),
        (V::Itunes, "author") => Some((Author, 1)),
        (V::Syndication, "updateperiod") => Some((UpdatePeriod, 0)),
        (V::Syndication, "updatefrequency") => Some((UpdateFrequency, 0)),
        // Search engines of Russia ask for it, each in a vocabulary of its own.
        (_, "full-text" | "fulltext") => Some((Content, 3)),
        _ => None,
    }
}
