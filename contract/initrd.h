/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The initrd that "volt kernel import" makes and volt-init boots from: an initramfs with volt-init
 * as /init, kernel modules, and their list. The list has one absolute path a line, in the order to
 * load them: each after those that it needs.
 */
#ifndef VOLT_CONTRACT_INITRD_H
#define VOLT_CONTRACT_INITRD_H

#define VOLT_INITRD_INIT "/init"
#define VOLT_INITRD_MODULES "/modules"
#define VOLT_INITRD_LIST "/modules/list"

/* The list's most bytes. */
#define VOLT_INITRD_LIST_SIZE (64 << 10)

#endif
