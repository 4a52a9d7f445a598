#[devres_lazy] #[pin_data] struct A { #[cfg(a)]/// A line.
 #[lazy(fn dev2, device = &self.dev, init = 42)] #[cfg(b)] #[doc = ""] pub a: () }
