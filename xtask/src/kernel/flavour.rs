// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The kernels that are built: their configuration, and the code in them.

use super::{
    apply::{self, Fixes},
    arch::Arch,
};
use crate::compilers::toolchain::Which;
use clap::ValueEnum;
use std::time::Duration;

/// Which object the tests are to run on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Object {
    /// The annotated one.
    Annotated,
    /// The same as it is printed, in a tree that has no macro.
    Expanded,
    /// The one by hand that the tree has, on which the tests have to fail.
    ByHand,
    /// The same, with two fixes: see `apply::shmem::fix()`.
    Fixed,
    /// The one by hand, in a tree with these fixes, and with the tests of all fixes in place of ours.
    Mended(Fixes),
    /// The annotated one, whose table is never unmapped: scenarios that are about that have to be
    /// off.
    Leaking,
}

impl Object {
    /// The one with lazy fields: as it is printed, or else the annotated one.
    pub(crate) fn lazy(is_expanded: bool) -> Self {
        if is_expanded {
            Self::Expanded
        } else {
            Self::Annotated
        }
    }

    /// Whether it has lazy fields, in whatever form.
    pub(crate) fn is_lazy(self) -> bool {
        matches!(self, Self::Annotated | Self::Expanded | Self::Leaking)
    }

    /// Its suffix in the names of logs.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Annotated => "",
            Self::Expanded => "-expanded",
            Self::ByHand => "-control",
            Self::Fixed => "-fixed",
            Self::Mended(_) => "-mended",
            Self::Leaking => "-leaking",
        }
    }
}

/// How to configure.
#[derive(Clone, Copy, Debug, Default, PartialEq, ValueEnum)]
pub(crate) enum Variant {
    /// As drivers run.
    #[default]
    Fast,
    /// With KASAN, lockdep, and all that finds what a test does not look at.
    Debug,
}

impl Variant {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Debug => "debug",
        }
    }

    /// The space that has to be free before a build, in mebibytes: twice what the build takes.
    pub(crate) fn space(self) -> u64 {
        match self {
            Self::Fast => 1024,
            Self::Debug => 2 * 1024,
        }
    }

    /// How long a boot with tests may take.
    pub(crate) fn limit(self) -> Duration {
        match self {
            Self::Fast => Duration::from_secs(5 * 60),
            Self::Debug => Duration::from_secs(30 * 60),
        }
    }
}

/// A kernel's configuration and code.
#[derive(Clone, Copy)]
pub(crate) struct Flavour {
    pub(crate) arch: Arch,
    /// The compiler of the repository, or another one.
    pub(crate) compiler: Option<Which>,
    pub(crate) variant: Variant,
    pub(crate) object: Object,
    /// Adds no more than this step and those before it.
    pub(crate) until: Option<&'static str>,
    /// Adds the suites that measure, too, of this candidate.
    pub(crate) bench: Option<&'static str>,
}

impl Flavour {
    /// All the code for an object, without the suites that measure, on a PC.
    pub(crate) fn new(variant: Variant, object: Object) -> Self {
        Self {
            arch: Arch::X86,
            compiler: None,
            variant,
            object,
            until: None,
            bench: None,
        }
    }

    /// The name of its work folder, which it shares with other objects.
    pub(crate) fn work(&self) -> String {
        let compiler = self.compiler.map(|which| format!("-{}", which.name()));
        let compiler = compiler.unwrap_or_default();
        format!("{}{}{compiler}", self.variant.name(), self.arch.suffix())
    }

    /// The name of its tests' logs.
    pub(crate) fn name(&self) -> String {
        format!("{}{}", self.work(), self.object.suffix())
    }

    /// The files of `kernel/config/` that it is configured by.
    pub(crate) fn fragments(&self) -> Vec<&'static str> {
        let mut names = vec!["base", self.arch.name(), self.variant.name()];
        let is_lazy = self.object.is_lazy();
        if apply::has_suites(self.object, self.until) {
            names.push("suites");
        }
        // Its options come with the last step.
        if self.until.is_none() {
            names.push(match self.object {
                Object::Mended(_) => "fixes",
                _ if is_lazy => "lazy",
                _ => "control",
            });
        }
        if is_lazy && self.variant == Variant::Debug {
            names.push("assertions");
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::{super::apply::step_names, *};

    #[test]
    fn suites_are_built_from_the_step_on_that_has_their_option() {
        for object in [Object::Annotated, Object::Expanded] {
            let steps = step_names(object);
            assert_eq!(steps[..3], ["registry", "slot", "lazy"]);
            assert_eq!(steps[3], "kunit_support");
            let with_suites = steps.iter().filter(|&&step| {
                let flavour = Flavour {
                    until: Some(step),
                    ..Flavour::new(Variant::Fast, object)
                };
                flavour.fragments().contains(&"suites")
            });
            assert_eq!(with_suites.count(), steps.len() - 3);
        }
    }
}
