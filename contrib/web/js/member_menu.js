// SPDX-License-Identifier: BSD-2-Clause
// A person in a group: who they are, and what can be done about them, by the viewer's role.
import {avatar} from './avatar.js';
import {now} from './clock.js';
import {cutOff, el, textButton} from './dom.js';
import {ask, openDialog, openMenu, say} from './dialog.js';
import {field} from './field.js';
import {nameOf, span, untilTime} from './format.js';
import {isMuted, memberActions} from './group_rules.js';
import {reasonOf, t} from './i18n.js';
import {requestFault} from './person_menu.js';
import {chatAddress} from './room_key.js';

const MUTE_SECONDS = [600, 3600, 8 * 3600, 86400, 7 * 86400, 30 * 86400];
const ICONS = {makeAdmin: 'star', unmakeAdmin: 'star', passOn: 'key', mute: 'mute', unmute: 'mute', remove: 'remove', ban: 'block'};

// onMention(user_id); onGo(): another conversation is opened.
export async function openMemberMenu(chat, c, userId, anchor, onMention, onGo = () => {}) {
    const member = await knownMember(chat, c, userId);
    if (!anchor.isConnected)
        return;
    const {people, me} = chat;
    const profile = people.profile(userId);
    const name = nameOf(profile);
    const own = userId === me;
    const befriend = () => chat.befriend('requestFriend', userId).then(() => say(t('people.sent')), (problem) => say(requestFault(problem, name)));
    const go = () => {
        onGo();
        location.hash = chatAddress(userId);
    };
    const heading = el('div.menu-person', {}, avatar(profile, people.isTrusted(userId)), el('span.person-text', {},
        cutOff('strong.name', name), el('small', {}, userId), member !== null && el('small', {}, roleText(member))));
    openMenu(anchor, name, [
        !own && member !== null && chat.silenceOf(c) === null && {label: t('members.mention'), icon: 'at', act: () => onMention(userId)},
        !own && people.isFriend(userId) && {label: t('members.message'), icon: 'chat', act: go},
        !own && people.loaded && !people.isFriend(userId) && !people.isAsked(userId) && !people.hasBlocked(userId) &&
            {label: t('members.befriend'), icon: 'people', act: befriend},
        ...member === null || own ? [] : memberActions(c.group, member, now()).map((action) => ({label: t(`members.${action}`), icon: ICONS[action],
            danger: ['remove', 'ban'].includes(action), act: () => perform(chat, c, action, userId, name)})),
    ], anchor, heading);
}

// Null for users who are no members. Asks the server if the user is not among the members known here.
async function knownMember(chat, c, userId) {
    const {members, complete} = chat.groups.of(c);
    if (members.has(userId) || complete)
        return members.get(userId) ?? null;
    const page = await chat.groups.members(c, userId).catch(() => null);
    return page?.items.find(({user}) => user.user_id === userId) ?? null;
}

export function roleText(member) {
    const role = t(`role.${member.role}`);
    return isMuted(member, now()) ? `${role} · ${t('role.mutedUntil', {time: untilTime(member.muted_until)})}` : role;
}

async function perform(chat, c, action, userId, name) {
    const {group} = c;
    if (action === 'mute') {
        openMuteDialog(chat, c, userId, name);
        return;
    }
    const questions = {passOn: 'primary', remove: 'danger', ban: 'danger'};
    if (questions[action] && !await ask(t(`members.${action}Ask`, {name, group}), t(`members.${action}`), questions[action]))
        return;
    await act(chat, c, ...{
        makeAdmin: ['updateMember', userId, {role: 'admin'}],
        unmakeAdmin: ['updateMember', userId, {role: 'member'}],
        unmute: ['updateMember', userId, {muted_until: null}],
        passOn: ['passOnGroup', userId],
        remove: ['removeMember', userId],
        ban: ['removeMember', userId, {ban: true}],
    }[action]);
}

async function act(chat, c, ...what) {
    try {
        await chat.actOnGroup(c, ...what);
    } catch (problem) {
        say(reasonOf(problem));
    }
}

function openMuteDialog(chat, c, userId, name) {
    const choice = el('select', {}, MUTE_SECONDS.map((seconds) => el('option', {value: seconds}, span(seconds))));
    const dialog = openDialog(t('members.muteTitle', {name}), el('form', {onsubmit: async (event) => {
        event.preventDefault();
        dialog.close();
        await act(chat, c, 'updateMember', userId, {muted_until: new Date(now() + Number(choice.value) * 1000).toISOString()});
    }}, field(t('members.muteFor'), choice), el('div.buttons', {},
        textButton('quiet', t('dialog.cancel'), () => dialog.close()), el('button.danger', {type: 'submit'}, t('members.muteTitle', {name})))));
    choice.focus();
}
