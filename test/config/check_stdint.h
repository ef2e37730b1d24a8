/* SPDX-License-Identifier: BSD-2-Clause */
/* Check's public header asks for this file by name; picolibc has the real thing. */
#pragma once
#include <stdint.h>
