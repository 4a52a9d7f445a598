#[devres_lazy] #[pin_data] struct A { #[lazy(fn a, device = &self.dev, map = dyn A + B)] a: Mapped<Self, M> }
