// SPDX-License-Identifier: BSD-2-Clause
// An invite link that was opened: what a stranger may see of the group, and the way in.
import {groupAvatar} from './avatar.js';
import {bdi, el, textButton} from './dom.js';
import {openDialog} from './dialog.js';
import {groupName} from './format.js';
import {reasonOf, t} from './i18n.js';
import {chatAddress} from './room_key.js';

const REFUSALS = {not_found: 'invite.void', forbidden: 'invite.banned', group_full: 'invite.full', too_many_groups: 'invite.tooMany',
    conflict: 'invite.crowded', group_dissolved: 'invite.dissolved'};

const refusalOf = (problem) => (REFUSALS[problem.code] ? t(REFUSALS[problem.code]) : reasonOf(problem));

let opened = null; // one at a time

export function inviteLink(code) {
    return `${location.origin}${location.pathname}#invite=${code}`;
}

export async function openInvite(chat, code) {
    const body = el('div.invite-card', {'aria-live': 'polite'}, el('p.hint', {}, el('span.spinner'), t('room.loading')));
    opened?.close();
    const dialog = opened = openDialog(t('invite.title'), body);
    const close = (text) => textButton('quiet', text, () => dialog.close());
    try {
        const group = await chat.rest.invite(code);
        const fault = el('p.fault', {role: 'alert'});
        const join = textButton('primary', t('invite.join'), async () => {
            join.disabled = true;
            fault.textContent = '';
            try {
                const conversation = await chat.join(code);
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
        const name = groupName(group);
        body.replaceChildren(groupAvatar(code, {name, avatar_url: null}, false), el('h3.name', {}, bdi(name)),
            el('small', {}, t('group.members', {count: group.member_count})), ...group.about ? [el('p.about-text', {dir: 'auto'}, group.about)] : [],
            fault, el('div.buttons', {}, close(t('dialog.cancel')), join));
        join.focus();
    } catch (problem) {
        body.replaceChildren(el('p.fault', {role: 'alert'}, refusalOf(problem)), el('div.buttons', {}, close(t('dialog.ok'))));
        body.querySelector('button').focus();
    }
}
