/* SPDX-License-Identifier: BSD-2-Clause */
/* ipcjob.h: one IPC call made by a helper thread, and what came of it. The job must live until the helper has exited.
 */
#pragma once
#include "helper.h"

enum ipc_op { JOB_SEND, JOB_CALL, JOB_RECV, JOB_REPLY_RECV, JOB_ANSWER };  /* ANSWER: receive, and reply with nothing */

struct ipc_job {
	enum ipc_op op;
	sys_cap_t ep, reply;
	sys_time_t deadline;            /* 0 here means none */
	sys_msg_t msg;
	uint64_t badge;
	volatile sys_status_t status;   /* 77: not ended */
};

sys_cap_t job_start(struct ipc_job *job);                               /* as a helper at our priority */
sys_cap_t job_start_in(struct ipc_job *job, sys_cap_t cspace);          /* the job's names are names there */
sys_cap_t job_start_at(struct ipc_job *job, uint32_t priority);
/* A caller that waits for the answer to `job` (which is filled in here), held by the reply that is returned. */
sys_cap_t job_held_call(struct ipc_job *job, sys_cap_t *thread);
