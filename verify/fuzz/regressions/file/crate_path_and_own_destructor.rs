#[devres_lazy(crate = ::kernel)] #[pin_data(PinnedDrop)] struct Queue { #[lazy(fn a -> u32, device = &self.dev, init = 42)] a: Table }
