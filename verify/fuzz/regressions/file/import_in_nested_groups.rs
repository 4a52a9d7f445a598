use {devres_lazy::{devres_lazy}, std::fmt};
#[devres_lazy] #[pin_data] struct A { #[lazy(fn a, device = &self.dev, init = 42)] a: T }
