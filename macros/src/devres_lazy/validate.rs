// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Every rule about annotations: from the entries as written to the model. Errors accumulate, each
//! on the token that has to change.

use super::{
    attributes,
    borrowing::Borrowing,
    diagnostics::{
        Errors,
        Reported, //
    },
    model::{
        Accessor,
        Annotated,
        Destructor,
        OwnDestructor,
        Owner,
        Slot,
        Source,
        Work, //
    },
    parse::{
        self,
        Entry,
        LazyAttr,
        Value, //
    },
    target,
};
use proc_macro2::Span;
use quote::{
    quote,
    ToTokens, //
};
use std::mem;
use syn::{
    ext::IdentExt,
    visit::Visit,
    Attribute,
    Error,
    Expr,
    ExprAsync,
    ExprClosure,
    ExprReturn,
    ExprTry,
    Field,
    Fields,
    Ident,
    ImplItem,
    Item,
    ItemImpl,
    ItemStruct,
    Meta,
    Path,
    Type, //
};

/// Checks an item and makes the model of it.
///
/// Errors in the item go to `errors`. The model then still has the item and accessors of the
/// right type, so that one mistake gives one message.
pub(crate) fn validate<'a>(krate: Path, item: &'a Item, errors: &mut Errors) -> Annotated<'a> {
    once(item, errors);

    let reported = match item {
        Item::Struct(owned) => match &owned.fields {
            Fields::Named(fields) if fields.named.iter().any(is_expanded) => {
                let reported = errors.report(
                    &owned.ident,
                    "`#[devres_lazy]` is given twice, once by another name: one is enough",
                );
                return Annotated::Expanded(item, reported);
            }
            Fields::Named(fields) => {
                return Annotated::Owner(owner(krate, owned, fields.named.iter(), errors));
            }
            Fields::Unnamed(fields) => errors.report(
                fields,
                "`#[devres_lazy]` needs a struct with named fields: accessors are methods, and \
                 slots are initialised by name",
            ),
            Fields::Unit => errors.report(
                &owned.ident,
                "`#[devres_lazy]` needs a struct with a field annotated with `#[lazy(..)]`",
            ),
        },
        Item::Impl(block) => match own_destructor(krate, block, errors) {
            Ok(destructor) => return Annotated::OwnDestructor(destructor),
            Err(reported) => reported,
        },
        Item::Enum(item) => misplaced(item.enum_token, "an enum", errors),
        Item::Union(item) => misplaced(item.union_token, "a union", errors),
        Item::Fn(item) => misplaced(item.sig.fn_token, "a function", errors),
        Item::Mod(item) => misplaced(item.mod_token, "a module", errors),
        Item::Trait(item) => misplaced(item.trait_token, "a trait", errors),
        other => misplaced(other, "this item", errors),
    };
    Annotated::Misplaced(item, reported)
}

/// Reports the attribute where it stands below itself.
fn once(item: &Item, errors: &mut Errors) {
    let attrs = match item {
        Item::Struct(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        _ => return,
    };

    for attr in attrs.iter().filter(|attr| is_ours(attr)) {
        errors.report(attr, "`#[devres_lazy]` is given twice: one is enough");
    }
}

/// Whether this is `#[devres_lazy ..]` again, by whatever path.
pub(crate) fn is_ours(attr: &Attribute) -> bool {
    is_attribute(&attr.meta, "devres_lazy")
}

/// Whether this is a field that was annotated: a slot whose `#[lazy(..)]` is gone.
fn is_expanded(field: &Field) -> bool {
    !field.attrs.iter().any(parse::is_lazy)
        && field.attrs.iter().any(|attr| attr.path().is_ident("pin"))
        && is_slot(&field.ty)
}

/// Reports an item that cannot have lazy fields.
fn misplaced(token: impl ToTokens, what: &str, errors: &mut Errors) -> Reported {
    errors.report(
        token,
        format!("`#[devres_lazy]` belongs on a struct with named fields, not on {what}"),
    )
}

/// Checks a struct.
fn owner<'a>(
    krate: Path,
    item: &'a ItemStruct,
    fields: impl Iterator<Item = &'a Field>,
    errors: &mut Errors,
) -> Owner<'a> {
    let mut checked: Vec<_> = fields
        .filter_map(|field| {
            let attr = parse::lazy_attr(field, errors)?;
            lazy_field(&item.ident, field, attr, errors)
        })
        .collect();

    if checked.is_empty() && errors.reported().is_none() {
        errors.report(
            &item.ident,
            "no field is annotated with `#[lazy(..)]`: `#[devres_lazy]` has nothing to do",
        );
    }

    unique_functions(&mut checked, errors);
    let destructor = destructor(item, errors);

    Owner {
        krate,
        item,
        cfgs: attributes::conditions(&item.attrs),
        lints: attributes::lints(&item.attrs),
        destructor,
        slots: checked
            .into_iter()
            .map(|field| slot(field, errors))
            .collect(),
    }
}

/// Finds `#[pin_data]` and the writer of the destructor.
fn destructor(item: &ItemStruct, errors: &mut Errors) -> Destructor {
    let mut found: Option<Destructor> = None;
    for attr in &item.attrs {
        attributes::any(attr, |meta| {
            let Some(destructor) = of_pin_data(meta) else {
                return false;
            };
            let is_another = found.is_some_and(|found| found != destructor);
            if is_another {
                errors.report(
                    attr,
                    "whether there is a `PinnedDrop` cannot depend on a `cfg_attr`: put \
                     `#[cfg(..)]` on two structs",
                );
            }
            found.get_or_insert(destructor);
            is_another
        });
    }

    found.unwrap_or_else(|| without_pin_data(item, errors))
}

/// The writer of the destructor of a struct with this attribute, if it is `#[pin_data ..]`.
fn of_pin_data(meta: &Meta) -> Option<Destructor> {
    if !is_pin_data(meta) {
        return None;
    }

    Some(match meta {
        Meta::Path(_) => Destructor::Generated,
        Meta::List(list) if list.tokens.is_empty() => Destructor::Generated,
        // Any argument counts as `PinnedDrop`: checking it is left to `#[pin_data]`.
        Meta::List(_) | Meta::NameValue(_) => Destructor::Author,
    })
}

/// Reports that `#[pin_data]` is missing or stands above.
fn without_pin_data(item: &ItemStruct, errors: &mut Errors) -> Destructor {
    if was_pin_data(item) {
        let reported = errors.report(
            &item.ident,
            "`#[pin_data]` has to stand below `#[devres_lazy]`: it has to know slots as pinned \
             fields",
        );
        return Destructor::TooLate(reported);
    }

    errors.report(
        &item.ident,
        "`#[pin_data]` is missing below `#[devres_lazy]`: slots are pinned fields, and \
         `#[devres_lazy]` has to come first",
    );
    Destructor::Generated
}

/// Whether `#[pin_data]` stood above, going by what it leaves behind: a `where` without anything.
fn was_pin_data(item: &ItemStruct) -> bool {
    item.generics
        .where_clause
        .as_ref()
        .is_some_and(|clause| clause.predicates.is_empty())
}

/// Whether this is `#[pin_data ..]`, by whatever path.
pub(crate) fn is_pin_data(meta: &Meta) -> bool {
    is_attribute(meta, "pin_data")
}

/// Whether this is the attribute macro called `name`, by whatever path.
fn is_attribute(meta: &Meta, name: &str) -> bool {
    ends_with(meta.path(), name) && !is_of_tool(meta.path())
}

/// Whether this is an attribute of a tool.
///
/// Rustc takes every attribute of a tool, `#[rustfmt::pin_data]` as well, and does nothing for it.
fn is_of_tool(path: &Path) -> bool {
    const TOOLS: [&str; 5] = ["clippy", "diagnostic", "miri", "rust_analyzer", "rustfmt"];

    path.segments.len() > 1
        && path
            .segments
            .first()
            .is_some_and(|first| TOOLS.iter().any(|tool| first.ident == tool))
}

/// Whether the last segment of `path` is `name`.
fn ends_with(path: &Path, name: &str) -> bool {
    path.segments
        .last()
        .is_some_and(|segment| segment.ident == name)
}

/// The entries of one field, in the places where they belong.
#[derive(Default)]
struct Sorted {
    accessor: Option<(Ident, Accessor)>,
    device: Option<(Ident, Expr)>,
    init: Option<(Ident, Expr)>,
    map: Option<(Ident, Type)>,
    peek: Option<(Ident, Ident)>,
    try_access: Option<(Ident, Ident)>,
    revoke: Option<(Ident, Ident)>,
    evict: Option<(Ident, Ident)>,
}

impl Sorted {
    /// Puts an entry in its place, unless that is taken.
    fn sort(&mut self, entry: Entry, errors: &mut Errors) {
        let Entry { key, value } = entry;

        match value {
            Value::Fn { vis, name, target } => put(
                &mut self.accessor,
                key,
                Accessor { vis, name, target },
                errors,
            ),
            Value::Device(expr) => put(&mut self.device, key, expr, errors),
            Value::Init(expr) => put(&mut self.init, key, expr, errors),
            Value::Map(marker) => put(&mut self.map, key, marker, errors),
            Value::Peek(name) => put(&mut self.peek, key, name, errors),
            Value::TryAccess(name) => put(&mut self.try_access, key, name, errors),
            Value::Revoke(name) => put(&mut self.revoke, key, name, errors),
            Value::Evict(name) => put(&mut self.evict, key, name, errors),
        }
    }
}

/// Keeps the first of two.
fn put<T>(place: &mut Option<(Ident, T)>, key: Ident, value: T, errors: &mut Errors) {
    if place.is_some() {
        errors.report(&key, format!("`{key}` is given twice"));
    } else {
        *place = Some((key, value));
    }
}

/// A lazy field whose entries were checked, with the proof of an error where one is missing.
struct LazyField<'a> {
    field: &'a Field,
    name: &'a Ident,
    accessor: Accessor,
    borrowing: Option<Borrowing>,
    device: Result<Expr, Reported>,
    source: Result<Source, Reported>,
    peek: Option<Ident>,
    try_access: Option<Ident>,
    revoke: Option<Ident>,
    evict: Option<Ident>,
    is_evictable: bool,
}

/// Checks one lazy field. [`None`] if not even an accessor can be made of it.
fn lazy_field<'a>(
    owner: &Ident,
    field: &'a Field,
    mut attr: LazyAttr,
    errors: &mut Errors,
) -> Option<LazyField<'a>> {
    let name = field.ident.as_ref()?;
    let mut sorted = Sorted::default();
    for entry in mem::take(&mut attr.entries) {
        sorted.sort(entry, errors);
    }

    if sorted.accessor.is_none() && attr.broken("fn").is_none() {
        errors.report(
            name,
            "`fn` is missing: name the accessor of this field, as in `fn table -> Table`",
        );
    }

    let device = device(name, sorted.device.take(), &attr, errors);
    let borrowing = borrowing(field, &mut sorted, errors);
    let source = source(owner, field, &mut sorted, &attr, errors);

    if let (Some((try_access, _)), Some(_)) = (&sorted.try_access, &sorted.evict) {
        errors.report(
            try_access,
            "`try_access` and `evict` are mutually exclusive: the guard of `try_access` is no pin, \
             and would not keep the resource from being evicted",
        );
    }

    if is_slot(&field.ty) {
        errors.report(
            &field.ty,
            "write the resource's type: `#[devres_lazy]` turns it into a slot",
        );
    }
    // A type that borrows may be a reference without a lifetime.
    if let (Some((_, accessor)), None) = (&sorted.accessor, &borrowing) {
        target_of(accessor, &field.ty, owner, errors);
    }

    Some(LazyField {
        field,
        name,
        accessor: second(sorted.accessor?),
        is_evictable: borrowing.is_none() && (sorted.evict.is_some() || attr.means("evict")),
        borrowing,
        device,
        source,
        peek: sorted.peek.map(second),
        try_access: sorted.try_access.map(second),
        revoke: sorted.revoke.map(second),
        evict: sorted.evict.map(second),
    })
}

/// Makes the model of a field, after all checks.
fn slot<'a>(checked: LazyField<'a>, errors: &Errors) -> Slot<'a> {
    let LazyField { field, .. } = checked;
    let work = match (checked.device, checked.source, errors.reported()) {
        (Ok(device), Ok(source), None) => Ok(Work { device, source }),
        (Err(reported), ..) | (_, Err(reported), _) | (.., Some(reported)) => Err(reported),
    };

    Slot {
        name: checked.name,
        resource: &field.ty,
        borrowing: checked.borrowing,
        attrs: &field.attrs,
        cfgs: attributes::conditions(&field.attrs),
        lints: attributes::lints(&field.attrs),
        accessor: checked.accessor,
        work,
        peek: checked.peek,
        try_access: checked.try_access,
        revoke: checked.revoke,
        is_evictable: checked.is_evictable,
        evict: checked.evict,
    }
}

/// Checks the device that the owner belongs to.
fn device(
    field: &Ident,
    device: Option<(Ident, Expr)>,
    attr: &LazyAttr,
    errors: &mut Errors,
) -> Result<Expr, Reported> {
    let Some((_, device)) = device else {
        return Err(attr.broken("device").unwrap_or_else(|| {
            errors.report(
                field,
                "`device` is missing: name the device that `self` belongs to, as in \
                 `device = &self.dev`",
            )
        }));
    };

    if is_callers_device(&device) {
        return Err(errors.report(
            device,
            "`dev` is the device to check: name the device of `self`, as in `&self.dev`",
        ));
    }
    if let Some(leaves) = leaves(&device) {
        return Err(errors.add(Error::new(
            leaves,
            "`device` cannot return, by `return` or by `?`: it names the device that `self` \
             belongs to, whatever the caller passes",
        )));
    }
    Ok(device)
}

/// Checks what makes the resource.
fn source(
    owner: &Ident,
    field: &Field,
    sorted: &mut Sorted,
    attr: &LazyAttr,
    errors: &mut Errors,
) -> Result<Source, Reported> {
    match (sorted.init.take(), sorted.map.take()) {
        (Some((key, init)), None) => match target::marker_of_view(&field.ty, owner) {
            Some(marker) => Err(errors.report(
                key,
                format!(
                    "a `Mapped` is a view, which its marker maps: use `map = {}`",
                    marker.to_token_stream()
                ),
            )),
            None => Ok(Source::Init(init)),
        },
        (None, Some((_, marker))) => Ok(Source::Map(marker)),
        (Some(_), Some((map, _))) => {
            Err(errors.report(map, "`init` and `map` are mutually exclusive"))
        }
        (None, None) => {
            let broken = attr.broken("init").or_else(|| attr.broken("map"));
            Err(broken.unwrap_or_else(|| {
                errors.report(
                    field.ident.as_ref(),
                    "`init` is missing: say what makes the resource, as in \
                     `init = Table::new(self)`, \
                     or `map = Marker` for a view into `self`",
                )
            }))
        }
    }
}

/// Checks the target that is written, or left out.
fn target_of(accessor: &Accessor, resource: &Type, owner: &Ident, errors: &mut Errors) {
    let Accessor { name, target, .. } = accessor;
    let is_resource = target
        .as_ref()
        .is_none_or(|target| target::is_same(target, resource));

    if let (Some(marker), true) = (target::marker_of_view(resource, owner), is_resource) {
        let place = target.as_ref().map(ToTokens::to_token_stream);
        errors.report(
            place.unwrap_or_else(|| name.to_token_stream()),
            format!(
                "a view has a target of another type: name it, as in `fn {name} -> Target`, where \
                 `{}` has `type Target = ..`",
                marker.to_token_stream()
            ),
        );
    } else if let (Some(target), false) = (target, is_resource) {
        if target::is_wrapped(target) {
            let message = format!(
                "`{name}` returns `Result<&Target>` by itself: write `-> Target`, without a \
                 reference or a result"
            );
            errors.report(target, message);
        }
    }
}

/// Finds out whether the resource of a field borrows the device, and reports the keys that such a
/// field cannot have.
fn borrowing(field: &Field, sorted: &mut Sorted, errors: &mut Errors) -> Option<Borrowing> {
    let borrowing = Borrowing::of(&field.ty).unwrap_or_else(|error| {
        errors.add(error);
        None
    })?;

    if let Some((map, _)) = &sorted.map {
        errors.report(
            map,
            "`map` makes a view into `self`, and this resource borrows the device: use \
             `init = ..`, or `Mapped<Self, Marker>` as the field's type",
        );
    }
    if let Some((try_access, _)) = sorted.try_access.take() {
        errors.report(
            try_access,
            "`try_access` is not supported for a resource that borrows the device, which a guard \
             does not keep bound: use `peek`",
        );
    }
    if let Some((evict, _)) = sorted.evict.take() {
        errors.report(
            evict,
            "`evict` is not supported for a resource that borrows the device: use `revoke`",
        );
    }

    Some(borrowing)
}

/// The value behind a key.
fn second<T>((_, value): (Ident, T)) -> T {
    value
}

/// Whether this is the device that the caller passes, or a part of it. Comparing that with itself
/// would let any device through.
fn is_callers_device(device: &Expr) -> bool {
    match device {
        Expr::Path(path) => path.path.is_ident("dev"),
        Expr::Field(field) => is_callers_device(&field.base),
        Expr::Group(group) => is_callers_device(&group.expr),
        Expr::MethodCall(call) => is_callers_device(&call.receiver),
        Expr::Paren(paren) => is_callers_device(&paren.expr),
        Expr::Reference(reference) => is_callers_device(&reference.expr),
        Expr::Unary(unary) => is_callers_device(&unary.expr),
        _ => false,
    }
}

/// The first `return` or `?` that leaves an expression.
fn leaves(expr: &Expr) -> Option<Span> {
    #[derive(Default)]
    struct Find(Option<Span>);

    impl Visit<'_> for Find {
        fn visit_expr_return(&mut self, expr: &ExprReturn) {
            self.0.get_or_insert(expr.return_token.span);
        }

        fn visit_expr_try(&mut self, expr: &ExprTry) {
            self.0.get_or_insert(expr.question_token.span);
        }

        // In these, it leaves the closure, the block or the function only.
        fn visit_expr_closure(&mut self, _: &ExprClosure) {}
        fn visit_expr_async(&mut self, _: &ExprAsync) {}
        fn visit_item(&mut self, _: &Item) {}
    }

    let mut find = Find::default();
    find.visit_expr(expr);
    find.0
}

/// Whether this is `devres::Lazy<..>`, or one of the other slots.
fn is_slot(ty: &Type) -> bool {
    let Type::Path(ty) = ty else {
        return false;
    };

    let mut segments = ty.path.segments.iter().rev();
    segments.next().is_some_and(|last| {
        ["Lazy", "LazyLt", "EvictableLazy"]
            .iter()
            .any(|it| last.ident == it)
    }) && segments
        .next()
        .is_some_and(|module| module.ident == "devres")
}

/// The function of `#[pin_data]` that teardown calls.
const PROJECT: &str = "project";

/// Checks that no two functions have one name, and removes the second. Where there is a `#[cfg]`,
/// rustc knows better.
fn unique_functions(fields: &mut Vec<LazyField<'_>>, errors: &mut Errors) {
    let mut seen: Vec<Ident> = Vec::new();
    let mut is_new = |name: &Ident| {
        if name.unraw() == PROJECT {
            let message = format!("`#[pin_data]` makes a function called `{PROJECT}`: rename this");
            errors.report(name, message);
            return false;
        }

        let is_new = !seen.contains(name);
        if is_new {
            seen.push(name.clone());
        } else {
            errors.report(name, format!("there is a function called `{name}` already"));
        }
        is_new
    };

    fields.retain_mut(|checked| {
        if !attributes::conditions(&checked.field.attrs).is_empty() {
            return true;
        }

        let keep = is_new(&checked.accessor.name)
            && is_new(&checked.accessor.slow_path())
            && is_new(&checked.accessor.device_is());
        for name in [
            &mut checked.peek,
            &mut checked.try_access,
            &mut checked.revoke,
            &mut checked.evict,
        ] {
            if name.as_ref().is_some_and(|name| !is_new(name)) {
                *name = None;
            }
        }
        keep
    });
}

/// Whether an attribute below `#[devres_lazy]` leaves the destructor in place.
///
/// An attribute macro may remove the `impl` that it stands on. The promise that the destructor
/// begins with the teardown would stay.
pub(crate) fn may_stand_on_destructor(meta: &Meta) -> bool {
    const INERT: [&str; 8] = [
        "allow", "cfg", "deny", "doc", "expect", "forbid", "inline", "warn",
    ];

    let path = meta.path();
    is_of_tool(path) || ends_with(path, "pinned_drop") || INERT.iter().any(|it| path.is_ident(it))
}

/// Checks the author's destructor.
fn own_destructor<'a>(
    krate: Path,
    item: &'a ItemImpl,
    errors: &mut Errors,
) -> Result<OwnDestructor<'a>, Reported> {
    let is_destructor = item
        .trait_
        .as_ref()
        .is_some_and(|(_, path, _)| ends_with(path, "PinnedDrop"));

    if !is_destructor {
        return Err(errors.report(
            item.impl_token,
            "`#[devres_lazy]` belongs on a struct and on its `impl PinnedDrop`, not on another \
             `impl`",
        ));
    }

    if !item
        .attrs
        .iter()
        .any(|attr| attributes::any(attr, |meta| is_attribute(meta, "pinned_drop")))
    {
        let header = item.trait_.as_ref().map(|(_, path, _)| quote!(#path));
        errors.report(
            header,
            "`#[pinned_drop]` is missing below `#[devres_lazy]`, which has to come first",
        );
    }

    for attr in &item.attrs {
        if !is_ours(attr) && !attributes::all(attr, may_stand_on_destructor) {
            errors.report(
                attr.path(),
                "this may remove the destructor, or replace it: put it above `#[devres_lazy]`, or \
                 leave it out",
            );
        }
    }

    for other in &item.items {
        if !matches!(other, ImplItem::Fn(_)) {
            errors.report(
                other,
                "the destructor has to be written out: `#[devres_lazy]` makes `fn drop` begin with \
                 the teardown, and sees nothing else here",
            );
        }
    }

    Ok(OwnDestructor {
        krate,
        item,
        cfgs: attributes::conditions(&item.attrs),
    })
}
