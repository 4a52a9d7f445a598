// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The expander by itself, without rustc and rustfmt: what `cargo xtask mutants` runs first.
//!
//! For each mistake in `tests/ui`, the expander reports the macro's messages, each at the place
//! where rustc shows it. `tests/ui.rs` compares all that rustc prints. For each file in
//! `tests/expand`, the tokens are those of the snapshot. `tests/expand.rs` compares the text.

use crate::{as_rustc, expand_item, resolve, tokens};
use anyhow::{ensure, Context, Result};
use proc_macro2::{Delimiter, Group, TokenStream};
use quote::{quote, ToTokens};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};
use syn::{
    parse::{ParseStream, Parser},
    visit_mut::{self, VisitMut},
    Attribute, File, Item, Meta,
};

/// How those messages begin that have no number and are not the expander's.
const OTHERS: [&str; 11] = [
    "`#[derive(Zeroable)]` needs",
    // An attribute by another name is not expanded here.
    "`#[devres_lazy]` is given twice, once by another name",
    "`#[lazy(..)]` is read by",
    "`#[pin_data]` needs",
    "`#[pin_data]` repeats",
    "`#[pinned_drop]` needs",
    "expected expression, found `let` statement",
    "lifetime may not live long enough",
    "no rules expected",
    "put `#[devres_lazy]` above `#[pin_data]`",
    "put `#[devres_lazy]` above `#[pinned_drop]`",
];

/// A case where rustc expands a `cfg_attr` first, and shows another place in the line.
const IN_CFG_ATTR: &str = "attribute_that_removes_the_destructor.stderr";

/// A message, with the line and column that it points at.
type Messages = BTreeSet<(String, String)>;

/// Returns the expander's messages among those that rustc prints.
fn of_rustc(stderr: &str) -> Messages {
    let reports = stderr.split("error").filter_map(|report| {
        let (message, rest) = report.strip_prefix(": ")?.split_once('\n')?;
        let place = rest.lines().next()?.trim_start().strip_prefix("--> ")?;
        let (_, place) = place.split_once(':')?;
        Some((message.to_owned(), place.to_owned()))
    });
    let is_ours = |(message, _): &(String, _)| !OTHERS.iter().any(|it| message.starts_with(it));
    reports.filter(is_ours).collect()
}

/// Returns the attributes of an item, and the rest of it.
fn split(input: ParseStream<'_>) -> syn::Result<(Vec<Attribute>, TokenStream)> {
    Ok((input.call(Attribute::parse_outer)?, input.parse()?))
}

/// Expands the annotated items of a file as rustc does, and collects the expander's messages.
#[derive(Default)]
struct Expand {
    messages: Messages,
    tokens: String,
}

impl Expand {
    /// Returns the arguments of `#[devres_lazy(..)]` on an item, and the item below it.
    fn annotated(item: &Item) -> Option<(TokenStream, TokenStream)> {
        let (mut attrs, rest) = split.parse2(item.to_token_stream()).ok()?;
        let is_ours = |attr: &Attribute| {
            let name = attr.path().segments.last();
            name.is_some_and(|name| name.ident == "devres_lazy")
        };
        let at = attrs.iter().position(is_ours)?;
        let args = match attrs.remove(at).meta {
            Meta::List(list) => list.tokens,
            _ => TokenStream::new(),
        };
        Some((args, quote!(#(#attrs)* #rest)))
    }

    /// Returns the tokens of the items that are left, which have the same names in all scopes.
    fn program(&mut self, file: &Path) -> Result<Vec<String>> {
        let mut file = syn::parse_file(&fs::read_to_string(file)?)?;
        self.visit_file_mut(&mut file);
        let mut file = syn::parse2(file.into_token_stream())?;
        resolve(&mut file);
        file.items.retain(|item| !matches!(item, Item::Use(_)));
        Ok(tokens(file.into_token_stream())?)
    }
}

impl VisitMut for Expand {
    fn visit_item_mut(&mut self, item: &mut Item) {
        let Some((args, below)) = Self::annotated(item) else {
            return visit_mut::visit_item_mut(self, item);
        };
        let (_, errors) = expand_item(args.clone(), below.clone());
        self.messages
            .extend(errors.into_iter().flatten().map(|error| {
                let start = error.span().start();
                let place = format!("{}:{}", start.line, start.column + 1);
                (error.to_string(), place)
            }));
        let expanded = as_rustc(args, below);
        self.tokens += &expanded.to_string();
        *item = Item::Verbatim(expanded);
    }
}

/// Whether a token is the printed one. The macro's locals are printed without their prefix, and
/// with a number if the plain name is taken.
fn is_same((compiled, printed): (&String, &String)) -> bool {
    let Some(plain) = compiled.strip_prefix("__devres_lazy_") else {
        return compiled == printed;
    };
    let printed = printed.strip_prefix("r#").unwrap_or(printed);
    let number = printed.strip_prefix(plain);
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The files in a folder of the project whose names end like this.
fn files(folder: &str, ending: &str) -> Result<Vec<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders = vec![root.join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                files.push(path);
            }
        }
    }
    Ok(files)
}

#[test]
fn mistakes_are_reported_where_rustc_shows_them() -> Result<()> {
    let mut count = 0;
    for path in files("tests/ui", ".stderr")? {
        if path.ends_with(IN_CFG_ATTR) {
            continue;
        }
        let name = path.display().to_string();
        let of_rustc = of_rustc(&fs::read_to_string(&path)?);
        let file = syn::parse_file(&fs::read_to_string(path.with_extension("rs"))?);
        let mut file = file.context(name.clone())?;
        let mut expand = Expand::default();
        expand.visit_file_mut(&mut file);

        let Expand { messages, tokens } = expand;
        ensure!(
            messages == of_rustc,
            "{name}: {messages:#?}\nrustc shows {of_rustc:#?}"
        );
        // Rustc goes on with these tokens, and would complain of attributes that nobody reads.
        let errors = tokens.matches("compile_error").count();
        let is_left = |attr: &&&str| tokens.contains(&format!("# [{attr}"));
        let left = ["lazy ", "lazy]", "pin_data]"].iter().find(is_left);
        ensure!(
            errors == messages.len() && left.is_none(),
            "{name}: {left:?} is left in {tokens}"
        );
        count += of_rustc.len();
    }

    ensure!(count > 100, "there are only {count} messages");
    Ok(())
}

#[test]
fn tokens_are_those_of_the_snapshots() -> Result<()> {
    let snapshots = files("tests/expand", ".expanded.rs")?;
    for snapshot in &snapshots {
        let path = snapshot.to_string_lossy().replace(".expanded.rs", ".rs");
        let expanded = Expand::default().program(Path::new(&path))?;
        let printed = Expand::default().program(snapshot)?;
        let differs = expanded.iter().zip(&printed).position(|it| !is_same(it));
        ensure!(
            differs.is_none() && expanded.len() == printed.len(),
            "{path}: token {differs:?} is another one"
        );
    }

    ensure!(snapshots.len() > 15, "there are only {}", snapshots.len());
    Ok(())
}

/// Returns the messages about an item under `#[devres_lazy]`, and the first item that it becomes.
fn expanded(item: TokenStream) -> Result<(Vec<String>, TokenStream)> {
    let (tokens, errors) = expand_item(TokenStream::new(), item);
    let errors = errors.into_iter().flatten();
    let file: File = syn::parse2(tokens)?;
    let first = file.items.first().context("no item")?;
    Ok((
        errors.map(|error| error.to_string()).collect(),
        first.to_token_stream(),
    ))
}

/// Fails unless an item gets one message, with this text, or none.
fn says(item: TokenStream, message: Option<&str>) -> Result<()> {
    let (errors, _) = expanded(item.clone())?;
    let is_said = match message {
        Some(message) => errors.len() == 1 && errors[0].contains(message),
        None => errors.is_empty(),
    };
    ensure!(is_said, "{item}: {errors:?}");
    Ok(())
}

fn field() -> TokenStream {
    quote!(#[lazy(fn table -> Table, device = &self.dev, init = Table)] table: Table)
}

/// The macro notices the remains of an attribute that was expanded before.
#[test]
fn attributes_that_came_first_are_noticed() -> Result<()> {
    let field = field();
    let item = quote!(#[pin_data] struct Queue { #[pin] a: A, slot: devres::Lazy<A>, #field });

    says(item.clone(), None)?;
    let (_, once) = expanded(item)?;
    says(once, Some("by another name"))?;
    for (clause, message) in [
        (quote!(), "missing below"),
        (quote!(where Self: Sized), "missing below"),
        (quote!(where), "has to stand below"),
    ] {
        says(quote!(struct Queue #clause { #field }), Some(message))?;
    }
    Ok(())
}

/// A file that is printed still has its `cfg_attr`.
#[test]
fn pin_data_depends_on_conditions() -> Result<()> {
    let field = field();
    let item = |attrs| quote!(#attrs struct Queue { #field });
    let either = quote!(#[cfg_attr(a, pin_data)] #[cfg_attr(not(a), pin_data)]);
    let differs = quote!(#[cfg_attr(a, pin_data)] #[cfg_attr(not(a), pin_data(PinnedDrop))]);

    says(item(either), None)?;
    says(item(differs), Some("cannot depend on a `cfg_attr`"))?;
    let (_, empty) = expanded(item(quote!(#[pin_data()])))?;
    ensure!(empty.to_string().contains("PinnedDrop"), "{empty}");
    Ok(())
}

/// A key that cannot be read is the one that was meant.
#[test]
fn broken_keys_are_those_that_were_meant() -> Result<()> {
    for (key, slot) in [("evict", "EvictableLazy <"), ("peek", ":: Lazy <")] {
        let key: TokenStream = syn::parse_str(key)?;
        let (errors, item) = expanded(quote! {
            #[pin_data]
            struct Queue {
                #[lazy(fn table -> Table, device = &self.dev, init = Table, #key = 3)]
                table: Table,
            }
        })?;
        ensure!(errors.len() == 1, "{errors:?}");
        ensure!(item.to_string().contains(slot), "{item}");
    }
    Ok(())
}

#[test]
fn the_callers_device_is_refused_in_any_form() -> Result<()> {
    for device in ["dev", "(dev)", "&dev", "*dev", "dev.parent", "dev.as_ref()"] {
        let device: TokenStream = syn::parse_str(device)?;
        let group = Group::new(Delimiter::None, device.clone());
        for device in [device, group.to_token_stream()] {
            let lazy = quote!(#[lazy(fn table -> Table, device = #device, init = Table)]);
            says(
                quote!(#[pin_data] struct Queue { #lazy table: Table }),
                Some("`dev` is the device to check"),
            )?;
        }
    }
    Ok(())
}

#[test]
fn attributes_of_tools_are_paths() -> Result<()> {
    for (attr, message) in [
        (quote!(#[rustfmt::skip]), None),
        (quote!(#[rustfmt]), Some("this may remove the destructor")),
    ] {
        let drop = quote!(
            fn drop(self: Pin<&mut Self>) {}
        );
        says(
            quote!(#[pinned_drop] #attr impl PinnedDrop for Queue { #drop }),
            message,
        )?;
    }
    Ok(())
}

#[test]
fn slots_are_known_by_their_module() -> Result<()> {
    for (ty, message) in [
        (
            quote!(devres::Lazy<Table>),
            Some("write the resource's type"),
        ),
        (quote!(devres::Table), None),
        (quote!(other::Lazy<Table>), None),
        (quote!(Lazy<Table>), None),
    ] {
        let lazy = quote!(#[lazy(fn table -> Table, device = &self.dev, init = Table)]);
        says(
            quote!(#[pin_data] struct Queue { #lazy table: #ty }),
            message,
        )?;
    }
    Ok(())
}

#[test]
fn functions_have_names_of_their_own() -> Result<()> {
    let field = field();
    for name in [quote!(table), quote!(table_slow), quote!(table_device_is)] {
        for peek in [quote!(), quote!(, peek = #name)] {
            let accessor = if peek.is_empty() {
                name.clone()
            } else {
                quote!(other)
            };
            let other = quote!(#[lazy(fn #accessor, device = &self.dev, init = A #peek)] other: A);
            let message = Some("already");
            says(quote!(#[pin_data] struct Queue { #field, #other }), message)?;
            says(quote!(#[pin_data] struct Queue { #other, #field }), message)?;
        }
    }
    Ok(())
}

#[test]
fn accessors_are_plain_functions() -> Result<()> {
    for qualifier in [quote!(const), quote!(async), quote!(unsafe)] {
        let lazy = quote!(#[lazy(#qualifier fn table, device = &self.dev, init = Table)]);
        let message = Some("does not belong here");
        says(
            quote!(#[pin_data] struct Queue { #lazy table: Table }),
            message,
        )?;
    }
    Ok(())
}

/// Rustc warns of braces around a block.
#[test]
fn what_never_returns_is_one_block() -> Result<()> {
    for (init, body) in [
        ("{ todo!() }", "Result < Table > { todo ! () }"),
        ("todo!()", "Result < Table > { todo ! () }"),
        (
            "#[allow(unused)] { todo!() }",
            "Result < Table > { # [allow (unused)] { todo ! () } }",
        ),
    ] {
        let init: TokenStream = syn::parse_str(init)?;
        let lazy = quote!(#[lazy(fn table, device = &self.dev, init = #init)]);
        let (tokens, _) = expand_item(
            TokenStream::new(),
            quote!(#[pin_data] struct Queue { #lazy table: Table }),
        );
        let tokens = tokens.to_string();
        ensure!(tokens.contains(body), "{tokens}");
    }
    Ok(())
}

/// Returns the text of all tokens of a struct with these fields.
fn queue(fields: TokenStream) -> String {
    let item = quote!(#[pin_data] struct Queue { #fields });
    expand_item(TokenStream::new(), item).0.to_string()
}

#[test]
fn entries_behind_a_broken_one_are_read() -> Result<()> {
    for (entries, messages) in [
        (
            quote!(device: &self.dev, inti = Table),
            &["expected `=`", "unknown key `inti`"][..],
        ),
        (
            quote!(device = &self.dev, init: f::<A, B>()),
            &["expected `=`"],
        ),
    ] {
        let lazy = quote!(#[lazy(fn table, #entries)]);
        let (errors, _) = expanded(quote!(#[pin_data] struct Queue { #lazy table: Table }))?;
        let are_said = errors.iter().zip(messages).all(|(a, b)| a.starts_with(b));
        ensure!(errors.len() == messages.len() && are_said, "{errors:?}");
    }
    Ok(())
}

#[test]
fn misplaced_attributes_keep_the_item() -> Result<()> {
    let (errors, item) = expanded(quote!(#[pin_data] #[repr(C)] union Queue { #[lazy] a: A }))?;
    ensure!(errors.len() == 1, "{errors:?}");
    ensure!(
        item.to_string() == quote!(#[repr(C)] union Queue { a: A }).to_string(),
        "{item}"
    );
    Ok(())
}

#[test]
fn items_of_a_destructor_are_in_its_own_block() -> Result<()> {
    let (errors, item) = expanded(quote! {
        #[pinned_drop]
        impl PinnedDrop for Queue {
            fn drop(self: Pin<&mut Self>) { struct A; }
        }
    })?;
    ensure!(errors.is_empty(), "{errors:?}");
    ensure!(item.to_string().contains("; { struct A ; } }"), "{item}");
    Ok(())
}

/// A marker is implemented where one of its fields is there, also if the field is wrong otherwise.
#[test]
fn views_are_there_where_their_fields_are() {
    let view = |cfg: &str, name: &str, marker: &str| -> TokenStream {
        let lazy = format!("#[lazy(fn {name}, device = &self.dev, map = {marker})]");
        syn::parse_str(&format!("{cfg} {lazy} {name}_: Mapped<Self, {marker}>,")).unwrap()
    };
    let [one, two, three] = [
        view("#[cfg(a)]", "one", "A"),
        view("#[cfg(b)]", "two", "A"),
        view("", "three", "A"),
    ];
    let header = "impl :: kernel :: devres :: HasView < A > for Queue";

    for (fields, conditions) in [
        (one.clone(), "# [cfg (a)] "),
        (quote!(#one #two), "# [cfg (any (all (a) , all (b)))] "),
        (quote!(#one #three), "} "),
    ] {
        let text = queue(fields);
        assert!(text.contains(&format!("{conditions}{header}")), "{text}");
    }

    let text = queue(quote! {
        #[lazy(device = &self.dev)]
        wrong: Mapped<Self, A>,
        other: Mapped<Self, B>,
    });
    assert!(
        text.contains(header) && !text.contains("HasView < B >"),
        "{text}"
    );
}
