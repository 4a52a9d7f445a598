// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The names of a file: its modules and blocks, the imports of each, and the paths written in each.
//! They show what an import of the attribute is used for, as far as one file can show that.

use crate::find::{is_annotation, is_attribute, ATTRIBUTE, RUNTIME};
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use std::{cell::Cell, collections::BTreeSet, iter, mem, ops::Range, slice};
use syn::{
    ext::IdentExt,
    spanned::Spanned,
    visit::{self, Visit},
    Attribute, Block, File, Item, ItemExternCrate, ItemMod, ItemUse, Macro, Meta, Path, UseTree,
    Visibility,
};

/// The number of a module or block.
pub(crate) type Scope = usize;

/// A module, or a block, which has the names of its module as well.
#[derive(Default)]
struct ScopeInfo {
    /// The scope around it; for a module, the scope that it is declared in.
    parent: Option<Scope>,
    is_module: bool,
    /// Whether it is a `pub` module.
    is_public: bool,
    imports: Vec<usize>,
    /// The modules that it declares.
    modules: Vec<(String, Scope)>,
    /// Whether it has items other than imports.
    has_items: bool,
}

/// A path as it is written.
#[derive(Clone)]
pub(crate) struct Written {
    pub(crate) scope: Scope,
    /// Whether it begins with `::`.
    is_global: bool,
    pub(crate) segments: Vec<String>,
    pub(crate) range: Range<usize>,
    /// In the definition of a macro, which may be used anywhere.
    is_anywhere: bool,
    /// Whether it is an attribute's.
    pub(crate) is_attribute: bool,
    /// Whether it leads to a module, as that of `{self}`.
    pub(crate) is_module: bool,
}

/// One name, or all names, that a `use` imports.
pub(crate) struct Import {
    pub(crate) path: Written,
    /// [`None`] for `*`.
    pub(crate) name: Option<String>,
    pub(crate) reach: Reach,
    /// The whole `use`.
    pub(crate) item: Range<usize>,
}

/// Which modules can use an import.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Its own module, and those in that.
    Module,
    /// Others of the crate. Rustc warns if none does.
    Crate,
    /// Modules of other crates, too.
    Everywhere,
}

/// The target of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// The runtime.
    Runtime,
    /// The attribute, and nothing else of that name.
    Attribute,
    Module(Scope),
    /// Something that is not in the file, and is called as the attribute is.
    Named,
    /// Something else that is not in the file.
    Unknown,
}

/// The names of a file.
pub(crate) struct Scopes {
    scopes: Vec<ScopeInfo>,
    pub(crate) imports: Vec<Import>,
    /// The paths that are written, those of imports aside.
    pub(crate) mentions: Vec<Written>,
    /// The modules in files of their own: the scope that declares each, and the modules around
    /// that.
    pub(crate) files: Vec<(Scope, Vec<String>, ItemMod)>,
    /// How many more names may be looked up. The number of ways to a name is exponential in the
    /// number of modules that import `*` from each other.
    fuel: Cell<usize>,
}

/// The root module.
const ROOT: Scope = 0;

/// How many names may be looked up in a file.
const FUEL: usize = 1_000_000;

/// On the way along a path.
struct Walk<'a> {
    /// Is told of each import on the way.
    visit: &'a mut dyn FnMut(usize),
    /// The names that are being looked up. An import may lead to itself: `use self::a::b as a`.
    open: Vec<(Scope, String)>,
}

impl Scopes {
    /// Looks through a file.
    pub(crate) fn of(file: &File) -> Self {
        let root = ScopeInfo {
            is_module: true,
            is_public: true,
            ..ScopeInfo::default()
        };
        let mut collector = Collector {
            scopes: Self {
                scopes: vec![root],
                imports: Vec::new(),
                mentions: Vec::new(),
                files: Vec::new(),
                fuel: Cell::new(FUEL),
            },
            scope: ROOT,
            inside: Vec::new(),
        };
        collector.visit_file(file);

        collector.scopes
    }

    /// Notes that imports of a module, and of those around it, may be used from other files.
    pub(crate) fn open(&mut self, scope: Scope) {
        let mut modules = BTreeSet::new();
        let mut next = Some(self.module(scope));
        while let Some(module) = next {
            modules.insert(module);
            next = self.scopes[module].parent.map(|parent| self.module(parent));
        }

        for import in &mut self.imports {
            if import.reach == Reach::Module && modules.contains(&import.path.scope) {
                import.reach = Reach::Crate;
            }
        }
    }

    /// Whether every look-up was completed.
    pub(crate) fn is_complete(&self) -> bool {
        self.fuel.get() > 0
    }

    /// Returns the target of a path.
    pub(crate) fn target(&self, path: &Written) -> Target {
        self.walk(path, &mut |_| ())
    }

    /// Adds the imports that a path goes through, directly or by way of other imports.
    pub(crate) fn add_used_by(&self, path: &Written, used: &mut BTreeSet<usize>) {
        let mut found = Vec::new();
        self.walk(path, &mut |import| found.push(import));
        if path.is_anywhere {
            let head = path.segments.first();
            let has_more = path.segments.len() > 1;
            let is_named = |import: &usize| {
                let import = &self.imports[*import];
                // If there is more to come in the path, it is not the attribute.
                import.name.as_ref() == head
                    && !(has_more && self.target(&import.path) == Target::Attribute)
            };
            found.extend((0..self.imports.len()).filter(is_named));
        }

        for import in found {
            if used.insert(import) {
                self.add_used_by(&self.imports[import].path, used);
            }
        }
    }

    /// Whether a `*` imports nothing but the attribute from this module.
    pub(crate) fn has_only_the_attribute(&self, module: Scope) -> bool {
        let info = &self.scopes[module];
        let mut imports = self.imports_in(module).peekable();

        !info.has_items
            && info.modules.is_empty()
            && imports.peek().is_some()
            && imports.all(|import| {
                let import = &self.imports[import];
                import.name.is_some() && self.target(&import.path) == Target::Attribute
            })
    }

    /// The imports of a module or block.
    fn imports_in(&self, scope: Scope) -> impl Iterator<Item = usize> + '_ {
        self.scopes[scope].imports.iter().copied()
    }

    /// The module that a scope is in.
    fn module(&self, mut scope: Scope) -> Scope {
        while let (false, Some(parent)) = (self.scopes[scope].is_module, self.scopes[scope].parent)
        {
            scope = parent;
        }
        scope
    }

    /// The module around the one that a scope is in.
    fn parent(&self, scope: Scope) -> Target {
        self.scopes[self.module(scope)]
            .parent
            .map_or(Target::Unknown, |parent| {
                Target::Module(self.module(parent))
            })
    }

    fn walk(&self, path: &Written, visit: &mut dyn FnMut(usize)) -> Target {
        let mut walk = Walk {
            visit,
            open: Vec::new(),
        };
        self.follow(path, &mut walk)
    }

    /// Follows a path.
    fn follow(&self, path: &Written, walk: &mut Walk<'_>) -> Target {
        let mut segments = path.segments.iter().map(String::as_str).peekable();
        let Some(head) = segments.next() else {
            return Target::Unknown;
        };

        let mut here = match head {
            RUNTIME if path.is_global => Target::Runtime,
            _ if path.is_global => Target::Unknown,
            "crate" => Target::Module(ROOT),
            "self" => Target::Module(self.module(path.scope)),
            "super" => self.parent(path.scope),
            _ => {
                let has_more = path.is_module || segments.peek().is_some();
                self.look_up(path.scope, head, has_more, walk)
            }
        };
        while let Some(segment) = segments.next() {
            let has_more = path.is_module || segments.peek().is_some();
            here = match here {
                Target::Module(module) if segment == "super" => self.parent(module),
                Target::Module(module) => self.member(module, segment, has_more, walk).unwrap_or(
                    if segment == ATTRIBUTE {
                        Target::Named
                    } else {
                        Target::Unknown
                    },
                ),
                Target::Runtime if segment == ATTRIBUTE => Target::Attribute,
                _ if segment == ATTRIBUTE => Target::Named,
                _ => Target::Unknown,
            };
        }

        here
    }

    /// Looks up the first name of a path in the innermost scope that has the name.
    fn look_up(&self, mut scope: Scope, name: &str, has_more: bool, walk: &mut Walk<'_>) -> Target {
        loop {
            if let Some(target) = self.member(scope, name, has_more, walk) {
                return target;
            }
            match self.scopes[scope].parent {
                Some(parent) if !self.scopes[scope].is_module => scope = parent,
                _ => break,
            }
        }

        if name == RUNTIME {
            Target::Runtime
        } else {
            Target::Unknown
        }
    }

    /// Looks up a name in a module or block. If the path `has_more` segments, the name is not the
    /// attribute.
    fn member(
        &self,
        scope: Scope,
        name: &str,
        has_more: bool,
        walk: &mut Walk<'_>,
    ) -> Option<Target> {
        let key = (scope, name.to_owned());
        if !self.is_complete() || walk.open.contains(&key) {
            return None;
        }
        self.fuel.set(self.fuel.get() - 1);
        walk.open.push(key);

        let mut found = None;
        for import in self.imports_in(scope) {
            if self.imports[import].name.as_deref() != Some(name) {
                continue;
            }
            let target = self.quietly(&self.imports[import].path, walk);
            if has_more && target == Target::Attribute {
                continue;
            }
            (walk.visit)(import);
            // One name may be a module and a macro at once. The content of a module is known.
            if !matches!(found, Some(Target::Module(_))) {
                found = Some(target);
            }
        }
        let modules = &self.scopes[scope].modules;
        if let Some((_, module)) = modules.iter().find(|(module, _)| module == name) {
            found = Some(Target::Module(*module));
        }

        // A name that is imported or declared itself comes before one that `*` imports.
        for import in self.imports_in(scope) {
            if found.is_some() || self.imports[import].name.is_some() {
                continue;
            }
            found = match self.quietly(&self.imports[import].path, walk) {
                Target::Module(module) => self.member(module, name, has_more, walk),
                Target::Runtime if name == ATTRIBUTE && !has_more => Some(Target::Attribute),
                _ => None,
            };
            if found.is_some() {
                (walk.visit)(import);
            }
        }

        walk.open.pop();
        found
    }

    /// Follows the path of an import, for what that leads to only.
    fn quietly(&self, path: &Written, walk: &mut Walk<'_>) -> Target {
        let mut quiet = Walk {
            visit: &mut |_| (),
            open: mem::take(&mut walk.open),
        };
        let target = self.follow(path, &mut quiet);
        walk.open = quiet.open;

        target
    }
}

/// Collects the names of a file.
struct Collector {
    scopes: Scopes,
    scope: Scope,
    /// The names of the modules around.
    inside: Vec<String>,
}

impl Collector {
    /// Visits something with a scope of its own.
    fn scope(&mut self, info: ScopeInfo, visit: impl FnOnce(&mut Self)) -> Scope {
        let scope = self.scopes.scopes.len();
        let outer = self.scope;
        self.scopes.scopes.push(ScopeInfo {
            parent: Some(outer),
            ..info
        });

        self.scope = scope;
        visit(self);
        self.scope = outer;
        scope
    }

    /// Whether a public item in this scope can be named from anywhere.
    fn is_public(&self) -> bool {
        let around = |scope: &Scope| self.scopes.scopes[*scope].parent;
        let mut scopes = iter::successors(Some(self.scope), around);
        scopes.all(|scope| self.scopes.scopes[scope].is_public)
    }

    fn mention(&mut self, is_global: bool, segments: Vec<String>, range: Range<usize>) {
        self.scopes.mentions.push(Written {
            scope: self.scope,
            is_global,
            segments,
            range,
            is_anywhere: false,
            is_attribute: false,
            is_module: false,
        });
    }

    /// Collects what a `use` imports from below `path`.
    fn tree(&mut self, item: &ItemUse, path: &mut Vec<String>, tree: &UseTree) {
        match tree {
            UseTree::Path(next) => {
                path.push(next.ident.unraw().to_string());
                self.tree(item, path, &next.tree);
                path.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(item, path, tree);
                }
            }
            UseTree::Glob(_) => self.import(item, path.clone(), None, tree),
            UseTree::Name(leaf) if leaf.ident == "self" => {
                self.import(item, path.clone(), path.last().cloned(), tree);
            }
            UseTree::Name(leaf) => {
                let name = leaf.ident.unraw().to_string();
                let path = [path.as_slice(), slice::from_ref(&name)].concat();
                self.import(item, path, Some(name), tree);
            }
            UseTree::Rename(leaf) => {
                let mut path = path.clone();
                if leaf.ident != "self" {
                    path.push(leaf.ident.unraw().to_string());
                }
                self.import(item, path, Some(leaf.rename.unraw().to_string()), tree);
            }
        }
    }

    fn import(
        &mut self,
        item: &ItemUse,
        segments: Vec<String>,
        name: Option<String>,
        leaf: &UseTree,
    ) {
        let is_self = match leaf {
            UseTree::Name(leaf) => leaf.ident == "self",
            UseTree::Rename(leaf) => leaf.ident == "self",
            _ => false,
        };
        let is_module = is_self || segments == [RUNTIME] || segments == [ATTRIBUTE];
        let reach = match item.vis {
            Visibility::Inherited => Reach::Module,
            Visibility::Public(_) if self.is_public() => Reach::Everywhere,
            Visibility::Restricted(_) | Visibility::Public(_) => Reach::Crate,
        };

        let number = self.scopes.imports.len();
        self.scopes.scopes[self.scope].imports.push(number);
        self.scopes.imports.push(Import {
            path: Written {
                scope: self.scope,
                is_global: item.leading_colon.is_some(),
                segments,
                range: leaf.span().byte_range(),
                is_anywhere: false,
                is_attribute: false,
                is_module,
            },
            name,
            reach,
            item: item.span().byte_range(),
        });
    }

    /// Collects what may be paths among tokens.
    fn tokens(&mut self, tokens: TokenStream, is_anywhere: bool) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let is_colon = |at: usize| {
            let token = tokens.get(at);
            matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
        };

        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Group(group) => self.tokens(group.stream(), is_anywhere),
                TokenTree::Ident(ident) => {
                    let mut end = ident;
                    let mut segments = vec![ident.unraw().to_string()];
                    let is_global = at > 1 && is_colon(at - 1) && is_colon(at - 2);
                    while let (true, true, Some(TokenTree::Ident(next))) =
                        (is_colon(at + 1), is_colon(at + 2), tokens.get(at + 3))
                    {
                        segments.push(next.unraw().to_string());
                        end = next;
                        at += 3;
                    }
                    let range = ident.span().byte_range().start..end.span().byte_range().end;
                    self.mention(is_global, segments, range);
                    if let Some(mention) = self.scopes.mentions.last_mut() {
                        mention.is_anywhere = is_anywhere;
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => (),
            }
            at += 1;
        }
    }
}

impl<'a> Visit<'a> for Collector {
    fn visit_item(&mut self, item: &'a Item) {
        if !matches!(item, Item::Use(_) | Item::Mod(_)) {
            self.scopes.scopes[self.scope].has_items = true;
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        let name = item.ident.unraw().to_string();
        if item.content.is_none() {
            // Its file may have anything.
            self.scopes.scopes[self.scope].has_items = true;
            let file = (self.scope, self.inside.clone(), item.clone());
            self.scopes.files.push(file);
            return visit::visit_item_mod(self, item);
        }

        let info = ScopeInfo {
            is_module: true,
            is_public: matches!(item.vis, Visibility::Public(_)),
            ..ScopeInfo::default()
        };
        let outer = self.scope;
        self.inside.push(name.clone());
        let module = self.scope(info, |this| visit::visit_item_mod(this, item));
        self.inside.pop();
        self.scopes.scopes[outer].modules.push((name, module));
    }

    fn visit_block(&mut self, block: &'a Block) {
        self.scope(ScopeInfo::default(), |this| visit::visit_block(this, block));
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        visit::visit_item_use(self, item);
        self.tree(item, &mut Vec::new(), &item.tree);
    }

    fn visit_item_extern_crate(&mut self, item: &'a ItemExternCrate) {
        visit::visit_item_extern_crate(self, item);
        // Another crate by the runtime's name is taken for the runtime.
        let Some((_, name)) = item.rename.as_ref().filter(|_| item.ident == RUNTIME) else {
            return;
        };

        let range = item.span().byte_range();
        let number = self.scopes.imports.len();
        self.scopes.scopes[self.scope].imports.push(number);
        self.scopes.imports.push(Import {
            path: Written {
                scope: self.scope,
                is_global: true,
                segments: vec![RUNTIME.to_owned()],
                range: range.clone(),
                is_anywhere: false,
                is_attribute: false,
                is_module: true,
            },
            name: Some(name.unraw().to_string()),
            // Rustc does not warn if nobody uses it.
            reach: Reach::Everywhere,
            item: range,
        });
    }

    fn visit_path(&mut self, path: &'a Path) {
        let segments = path
            .segments
            .iter()
            .map(|segment| segment.ident.unraw().to_string())
            .collect();
        let range = path.span().byte_range();
        self.mention(path.leading_colon.is_some(), segments, range);
        visit::visit_path(self, path);
    }

    fn visit_attribute(&mut self, attr: &'a Attribute) {
        let first = self.scopes.mentions.len();
        visit::visit_attribute(self, attr);
        if let Some(path) = self.scopes.mentions.get_mut(first) {
            // The annotation of a field is not looked up.
            path.is_attribute = !is_annotation(attr.meta.to_token_stream());
        }

        let first = self.scopes.mentions.len();
        if let Meta::List(list) = &attr.meta {
            self.tokens(list.tokens.clone(), false);
        }
        if attr.path().is_ident("cfg_attr") {
            for mention in &mut self.scopes.mentions[first..] {
                mention.is_attribute = true;
            }
        }
        if is_attribute(attr.path()) {
            // `crate = path` is the beginning of the paths that are generated.
            for mention in &mut self.scopes.mentions[first..] {
                mention.segments.push(String::new());
            }
        }
    }

    fn visit_macro(&mut self, mac: &'a Macro) {
        visit::visit_macro(self, mac);
        self.tokens(mac.tokens.clone(), mac.path.is_ident("macro_rules"));
    }
}
