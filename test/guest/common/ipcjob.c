/* SPDX-License-Identifier: BSD-2-Clause */
/* ipcjob.c: see ipcjob.h. */
#include "ipcjob.h"

static sys_status_t answer(struct ipc_job *job, sys_time_t deadline)
{
	sys_status_t status = sys_ipc_recv(job->ep, job->reply, &job->msg, &job->badge, deadline);
	sys_msg_t nothing;

	nothing.label = 0;
	nothing.words = 0;
	nothing.caps = 0;
	nothing.accept = 0;
	if (status == SYS_OK)
		sys_ipc_reply(job->reply, &nothing);
	return status;
}

static int64_t job_run(void *arg)
{
	struct ipc_job *job = arg;
	sys_time_t deadline = job->deadline == 0 ? SYS_TIME_INFINITE : job->deadline;

	switch (job->op) {
	case JOB_SEND:
		job->status = sys_ipc_send(job->ep, &job->msg, deadline);
		break;
	case JOB_CALL:
		job->status = sys_ipc_call(job->ep, &job->msg, deadline);
		break;
	case JOB_RECV:
		job->status = sys_ipc_recv(job->ep, job->reply, &job->msg, &job->badge, deadline);
		break;
	case JOB_REPLY_RECV:
		job->status = sys_ipc_reply_recv(job->reply, &job->msg, job->ep, &job->badge, deadline);
		break;
	case JOB_ANSWER:
		job->status = answer(job, deadline);
		break;
	}
	return job->status;
}

sys_cap_t job_start(struct ipc_job *job)
{
	job->status = 77;
	return helper_start(job_run, job);
}

sys_cap_t job_start_in(struct ipc_job *job, sys_cap_t cspace)
{
	job->status = 77;
	return helper_start_in(cspace, job_run, job);
}

sys_cap_t job_start_at(struct ipc_job *job, uint32_t priority)
{
	job->status = 77;
	sys_cap_t thread = helper_prepare(job_run, job, SYS_CAP_NULL, priority);
	helper_go(thread);
	return thread;
}

sys_cap_t job_held_call(struct ipc_job *job, sys_cap_t *thread)
{
	sys_cap_t reply = new_reply();
	sys_msg_t msg = {0};

	job->op = JOB_CALL;
	if (job->ep == SYS_CAP_NULL)
		job->ep = new_endpoint();
	*thread = job_start(job);
	OKAY(sys_ipc_recv(job->ep, reply, &msg, NULL, after(LIMIT)));
	EQ(thread_info(*thread).state, SYS_THREAD_WAITING);
	return reply;
}
