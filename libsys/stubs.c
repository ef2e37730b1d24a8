/* SPDX-License-Identifier: BSD-2-Clause */
/* stubs.c: the system calls that need no hand-written stub, made from the table by the preprocessor.
 *
 * Every SYSCALL line becomes one function with the prototype of abi.h, so the compiler finds any disagreement between
 * the table and the contract. The table speaks of words where the contract has an enumeration; ENUM_<call>_<argument>
 * says which. OPTIONAL_<call>_<argument>: NULL stands for "not wanted". ALWAYS_<call>_<argument>: valid on an error
 * as well.
 */
#include "syscall.h"

#define ENUM_cap_watch_event            ~, enum sys_event
#define ENUM_thread_read_state_kind     ~, enum sys_state_kind
#define ENUM_thread_write_state_kind    ~, enum sys_state_kind
#define ENUM_vmo_op_range_op            ~, enum sys_vmo_op
#define ENUM_vmo_set_cache_policy_policy ~, enum sys_cache_policy
#define ENUM_vmar_op_range_op           ~, enum sys_vmar_op
#define ENUM_pager_op_range_op          ~, enum sys_pager_op
#define ENUM_system_info_topic          ~, enum sys_topic

#define OPTIONAL_vmar_maps_out_actual                ~, true
#define OPTIONAL_vmar_maps_out_avail                 ~, true
#define OPTIONAL_pager_query_dirty_ranges_out_actual ~, true
#define OPTIONAL_pager_query_dirty_ranges_out_avail  ~, true

#define ALWAYS_pager_supply_pages_out_new ~, true
#define ALWAYS_pager_supply_recv_out_new  ~, true

/* PICK(probe, otherwise): what a macro named by the probe says after its "~,", or else `otherwise`. */
#define PICK_SECOND(first, second, ...) second
#define PICK(...) PICK_SECOND(__VA_ARGS__, ~)

/* EACH(m, sep, call, (tuple, tuple, ...)): m(call, tuple's elements...) for each of up to ten tuples, sep() between
 * them. */
#define UNWRAP(...) __VA_ARGS__
#define APPLY(m, ...) m(__VA_ARGS__)
#define START(m, ...) m(__VA_ARGS__)
#define COMMA() ,
#define NOTHING()
#define EACH_1(m, sep, call, t) APPLY(m, call, UNWRAP t)
#define EACH_2(m, sep, call, t, ...) EACH_1(m, sep, call, t) sep() EACH_1(m, sep, call, __VA_ARGS__)
#define EACH_3(m, sep, call, t, ...) EACH_1(m, sep, call, t) sep() EACH_2(m, sep, call, __VA_ARGS__)
#define EACH_4(m, sep, call, t, ...) EACH_1(m, sep, call, t) sep() EACH_3(m, sep, call, __VA_ARGS__)
#define EACH_5(m, sep, call, t, ...) EACH_1(m, sep, call, t) sep() EACH_4(m, sep, call, __VA_ARGS__)
#define EACH_6(m, sep, call, t, ...) EACH_1(m, sep, call, t) sep() EACH_5(m, sep, call, __VA_ARGS__)
#define EACH_7(m, sep, call, t, ...) EACH_1(m, sep, call, t) sep() EACH_6(m, sep, call, __VA_ARGS__)
#define EACH_8(m, sep, call, t, ...) EACH_1(m, sep, call, t) sep() EACH_7(m, sep, call, __VA_ARGS__)
#define EACH_9(m, sep, call, t, ...) EACH_1(m, sep, call, t) sep() EACH_8(m, sep, call, __VA_ARGS__)
#define EACH_10(m, sep, call, t, ...) EACH_1(m, sep, call, t) sep() EACH_9(m, sep, call, __VA_ARGS__)
#define EACH_PICK(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, name, ...) name
#define EACH_OF(...) \
	EACH_PICK(__VA_ARGS__, EACH_10, EACH_9, EACH_8, EACH_7, EACH_6, EACH_5, EACH_4, EACH_3, EACH_2, EACH_1, ~)
#define EACH(m, sep, call, tuples) START(EACH_OF tuples, m, sep, call, UNWRAP tuples)

/* A tuple as a parameter of the stub. */
#define PARAMETER(call, kind, ...) PARAMETER_##kind(call, __VA_ARGS__)
#define PARAMETER_CAP(call, name, ...) sys_cap_t name
#define PARAMETER_CAPO PARAMETER_CAP
#define PARAMETER_CAPX PARAMETER_CAP
#define PARAMETER_IN(call, type, name) PICK(ENUM_##call##_##name, type) name
#define PARAMETER_OUT(call, type, name) type *name

/* A tuple as an argument: its value, or nothing in the register of a result after its place has been looked at. */
#define PUT(call, kind, ...) PUT_##kind(call, __VA_ARGS__)
#define PUT_CAP(call, name, ...) call_put(&stub_call, name);
#define PUT_CAPO PUT_CAP
#define PUT_CAPX PUT_CAP
#define PUT_IN(call, type, name) call_put(&stub_call, (uint64_t)name);
#define PUT_OUT(call, type, name) \
	call_put(&stub_call, 0); \
	if (!LEFT_OUT(call, name)) \
		call_check_place(&stub_call, name, sizeof *name);
#define LEFT_OUT(call, name) (PICK(OPTIONAL_##call##_##name, false) && !name)
#define VALID(call, name) \
	((stub_status == SYS_OK || PICK(ALWAYS_##call##_##name, false)) && !(stub_call.number & CALL_NO_PLACE))
/* The call was refused before it began: no result was made, the register still holds an argument. */
#define REFUSED (stub_status <= SYS_ERR_BAD_SYSCALL && stub_status >= SYS_ERR_ACCESS_DENIED)

/* A result to its place. */
#define STORE(call, kind, ...) STORE_##kind(call, __VA_ARGS__)
#define STORE_CAP(...)
#define STORE_CAPO(...)
#define STORE_CAPX(...)
#define STORE_IN(...)
#define STORE_OUT(call, type, name) { \
		type stub_value = (type)call_take(&stub_call); \
		if (VALID(call, name) && !LEFT_OUT(call, name)) \
			*name = REFUSED ? 0 : stub_value; \
	}

#define SYSCALL(nr, name, tuples, errors, flags) \
	sys_status_t sys_##name(EACH(PARAMETER, COMMA, name, tuples)) \
	{ \
		struct call stub_call = { .number = nr }; \
		EACH(PUT, NOTHING, name, tuples) \
		bool wide = stub_call.args > CALL_NARROW_ARGS; \
		sys_status_t stub_status = (sys_status_t)(wide ? call_make_wide(&stub_call) : call_make(&stub_call)); \
		EACH(STORE, NOTHING, name, tuples) \
		return stub_status; \
	}
#define SYSCALL_HAND(...)
#include <vellum/syscalls.def>
