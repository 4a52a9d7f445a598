#[devres_lazy(crate = kernel::)] #[pin_data] struct A { #[lazy(fn a, device = &self.dev, init = 42)] a: T }
