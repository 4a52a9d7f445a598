#[devres_lazy] #[pin_data] struct A { #[lazy(fn a -> dyn B + Send, device = &self.dev, init = 42)] a: Box<dyn B + Send> }
