// SPDX-License-Identifier: Apache-2.0 OR MIT

#[devres_lazy(crate = )]
#[pin_data]
struct A { #[lazy(fn a, device=&self.d, init=1)] a: u32 }