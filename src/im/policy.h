/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which of a user's sessions in the cluster may stay (session.policy).
 *
 * Every session is announced on its user's topic, with its id, which sorts by age. An
 * announcement begins a new roll: whoever holds others of that user, the announcing worker too, answers with
 * them. Redis gives all of a topic in one order, so after the last announcement
 * everyone has heard of everyone, and a session goes when as many newer ones as are
 * allowed stand beside it. Of two that open at the same moment both see both.
 */
#ifndef TIDINGS_IM_POLICY_H
#define TIDINGS_IM_POLICY_H

#include "core/base.h"
#include "im/session.h"
#include "im/push.h"

/* The session is open: tells the others if the bus is there, and looks at our own. */
void policy_announce(struct session *s);
/* The bus is there (again): those that could not be announced are. */
void policy_announce_all(struct im *im);
/* kind is BUS_ANNOUNCE or BUS_PRESENT; `data` is "id device"; own: it is our own announcement coming back. */
void policy_heard(struct im *im, struct str user_id, enum bus_kind kind, struct str data, bool own);
/* Frees what is known of sessions elsewhere. */
void policy_forget(struct user *u);

#endif
