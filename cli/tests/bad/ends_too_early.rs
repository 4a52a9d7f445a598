// SPDX-License-Identifier: Apache-2.0 OR MIT

#[devres_lazy]
struct A
