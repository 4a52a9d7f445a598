#[devres_lazy] #[pinned_drop] impl PinnedDrop for A { fn drop(&'a self) {} }
