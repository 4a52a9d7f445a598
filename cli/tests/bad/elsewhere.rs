// SPDX-License-Identifier: Apache-2.0 OR MIT

impl A {
    #[devres_lazy]
    fn a() {}
}
#[cfg_attr(x, devres_lazy)]
struct A;
