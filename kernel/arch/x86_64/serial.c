/* SPDX-License-Identifier: BSD-2-Clause */
/* serial.c: the console: a 16550 at COM1, 115200 baud. Output polls. Input comes by interrupt into a ring; when that
 * is full, the rest waits in the UART with its interrupt off until there is room again.
 * The ring is written by the interrupt and read with interrupts off: the kernel lock. */
#include "arch/x86_64/cpu.h"

#define COM1        0x3f8
#define DATA        (COM1 + 0)
#define INTERRUPTS  (COM1 + 1)
#define FIFO        (COM1 + 2)
#define LINE        (COM1 + 3)
#define MODEM       (COM1 + 4)
#define STATUS      (COM1 + 5)
#define STATUS_DATA 0x01
#define STATUS_ROOM 0x20
#define STATUS_IDLE 0x40                /* nothing is left to send */
#define POLLS       65536u              /* longer than a byte takes to leave, on any machine */
#define NOBODY      0xff                /* what reads as a status where no UART is */

#define RING 256u
static u8 ring[RING];
static unsigned ring_in, ring_out;      /* run free; the difference is what is in the ring */

BOOT void serial_init(void)
{
	out8(INTERRUPTS, 0);
	out8(LINE, 0x80);               /* divisor 1 */
	out8(DATA, 1);
	out8(INTERRUPTS, 0);
	out8(LINE, 0x03);               /* 8 bits, no parity, one stop bit */
	out8(FIFO, 0x07);               /* on, cleared, an interrupt for each byte */
	out8(MODEM, 0x0b);              /* DTR, RTS, and OUT2, which lets interrupts out */
	out8(INTERRUPTS, 1);
}

static void put(char c)
{
	for (unsigned i = 0; i < POLLS && !(in8(STATUS) & STATUS_ROOM); i++)
		;
	out8(DATA, (u8)c);
}

void arch_console_write(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n')
			put('\r');
		put(text[i]);
	}
}

void serial_drain(void)
{
	for (unsigned i = 0; i < POLLS && !(in8(STATUS) & STATUS_IDLE); i++)
		;
}

bool serial_interrupt(void)
{
	u8 status;
	while (status = in8(STATUS), status & STATUS_DATA && status != NOBODY) {
		if (ring_in - ring_out == RING) {
			out8(INTERRUPTS, 0);
			break;
		}
		ring[ring_in++ % RING] = in8(DATA);
	}
	return ring_in != ring_out;
}

int arch_console_read(void)
{
	if (ring_in == ring_out)
		return -1;
	if (ring_in - ring_out == RING)
		out8(INTERRUPTS, 1);
	return ring[ring_out++ % RING];
}
