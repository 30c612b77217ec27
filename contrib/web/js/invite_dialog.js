// SPDX-License-Identifier: BSD-2-Clause
// A link to a group that was opened: what a stranger may see of it, and the way in. Of a group that needs no invite a
// stranger sees nothing before.
import {groupAvatar} from './avatar.js';
import {bdi, el, textButton} from './dom.js';
import {openDialog} from './dialog.js';
import {groupName} from './format.js';
import {reasonOf, t} from './i18n.js';
import {chatAddress} from './room_key.js';

const REFUSALS = {not_found: 'invite.void', forbidden: 'invite.banned', group_full: 'invite.full', too_many_groups: 'invite.tooMany',
    conflict: 'invite.crowded', group_dissolved: 'invite.dissolved'};

const REFUSALS_BY_ID = {...REFUSALS, not_found: 'invite.notOpen'};

let opened = null; // one at a time

export function inviteLink(code) {
    return `${location.origin}${location.pathname}#invite=${code}`;
}

// To a group that needs no invite.
export function joinLink(groupId) {
    return `${location.origin}${location.pathname}#join=${groupId}`;
}

// kind: 'invite', with its code, or 'join', with the group's id.
export async function openEntrance(chat, {kind, code}) {
    const byInvite = kind === 'invite';
    const refusals = byInvite ? REFUSALS : REFUSALS_BY_ID;
    const refusalOf = (problem) => (refusals[problem.code] ? t(refusals[problem.code]) : reasonOf(problem));
    const body = el('div.invite-card', {'aria-live': 'polite'}, el('p.hint', {}, el('span.spinner'), t('room.loading')));
    opened?.close();
    const dialog = opened = openDialog(t('invite.title'), body);
    const close = (text) => textButton('quiet', text, () => dialog.close());
    try {
        const group = byInvite ? await chat.rest.invite(code) : null;
        const fault = el('p.fault', {role: 'alert'});
        const join = textButton('primary', t('invite.join'), async () => {
            join.disabled = true;
            fault.textContent = '';
            try {
                const conversation = await chat.join(byInvite ? 'acceptInvite' : 'joinGroup', code);
                if (conversation === null) {
                    body.replaceChildren(el('p', {role: 'status'}, t('invite.requested')), el('div.buttons', {}, close(t('dialog.ok'))));
                    body.querySelector('button').focus();
                    return;
                }
                dialog.close();
                location.hash = chatAddress(conversation.key);
            } catch (problem) {
                fault.textContent = refusalOf(problem);
                join.disabled = false;
            }
        });
        body.replaceChildren(...group === null ? [el('p', {}, t('invite.byId'))] : preview(group),
            fault, el('div.buttons', {}, close(t('dialog.cancel')), join));
        join.focus();
    } catch (problem) {
        body.replaceChildren(el('p.fault', {role: 'alert'}, refusalOf(problem)), el('div.buttons', {}, close(t('dialog.ok'))));
        body.querySelector('button').focus();
    }
}

function preview(group) {
    const name = groupName(group);
    return [groupAvatar({name, avatar_url: null}, false), el('h3.name', {}, bdi(name)),
        el('small', {}, t('group.members', {count: group.member_count})), ...group.about ? [el('p.about-text', {dir: 'auto'}, group.about)] : []];
}
