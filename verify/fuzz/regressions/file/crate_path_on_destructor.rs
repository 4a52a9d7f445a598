#[devres_lazy(crate = ::kernel)] #[pinned_drop] impl PinnedDrop for Queue { fn drop(self: Pin<&mut Self>) {} }
