// SPDX-License-Identifier: BSD-2-Clause
// What a user can set of a conversation, in its menu: in the list and in the room.
import {now} from './clock.js';
import {EXPIRY_SECONDS, MUTE_SECONDS, isMutedForever, muteEnd} from './conversation_settings.js';
import {el, textButton} from './dom.js';
import {ask, openDialog, say} from './dialog.js';
import {span, untilTime} from './format.js';
import {mayEdit} from './group_rules.js';
import {reasonOf, t} from './i18n.js';

// As items of a menu. onAway(): the conversation is not to be shown any longer.
export function conversationMenu(chat, c, onAway) {
    if (c.gone !== null)
        return [];
    const {settings} = c;
    const set = (changes, said = null) => change(chat, c, changes, said);
    const away = async (changes, said) => {
        if (await set(changes, said))
            onAway();
    };
    const isUnread = c.unread > 0 || settings.marked_unread;
    return [
        settings.pinned_at === null ? {label: t('conv.pin'), icon: 'pin', act: () => set({pinned: true})} :
            {label: t('conv.unpin'), icon: 'unpin', act: () => set({pinned: false})},
        c.isMuted ? {label: t('conv.unmute'), icon: 'unmute', act: () => set({muted_until: null})} :
            {label: t('conv.mute'), icon: 'mute', act: () => openMuteDialog(chat, c)},
        isUnread ? {label: t('conv.read'), icon: 'check', act: () => chat.own.markRead(c)} :
            {label: t('conv.unread'), icon: 'unread', act: () => away({marked_unread: true}, null)},
        settings.archived ? {label: t('conv.unarchive'), icon: 'archive', act: () => set({archived: false})} :
            {label: t('conv.archive'), icon: 'archive', act: () => away({archived: true}, t('conv.archived', {name: chat.title(c)}))},
        maySetExpiry(chat, c) && {label: t('conv.expiry'), icon: 'timer', act: () => openExpiryDialog(chat, c)},
        {label: t('conv.clear'), icon: 'trash', danger: true, act: () => clear(chat, c, onAway)},
    ];
}

// Until when it is muted, in words.
export function mutedText(c) {
    return isMutedForever(c.settings) ? t('conv.muted') : t('conv.mutedUntil', {time: untilTime(c.settings.muted_until)});
}

// Both sides of a direct conversation while they can write there, the admins of a group.
function maySetExpiry(chat, c) {
    return c.settings.expires_in !== undefined && (c.isGroup ? mayEdit(c.group) : chat.canWriteTo(c));
}

// How long its messages stay, in words; empty where for ever.
export function expiryText({settings}) {
    return settings.expires_in ? t('conv.expires', {span: span(settings.expires_in)}) : '';
}

// True where it is done.
async function change(chat, c, changes, said) {
    try {
        await chat.own.set(c, changes);
        if (said !== null)
            say(said);
        return true;
    } catch (problem) {
        say(problem.code === 'conflict' ? t('conv.pinnedMax') : reasonOf(problem));
        return false;
    }
}

async function clear(chat, c, onAway) {
    if (!await ask(t('conv.clearAsk', {name: chat.title(c)}), t('conv.clear')))
        return;
    try {
        await chat.own.clear(c);
        onAway();
    } catch (problem) {
        say(reasonOf(problem));
    }
}

function openMuteDialog(chat, c) {
    const name = chat.title(c);
    const mentions = el('input', {type: 'checkbox', checked: !c.settings.mute_mentions});
    const form = el('form', {onsubmit: (event) => {
        event.preventDefault();
        dialog.close();
        change(chat, c, {muted_until: muteEnd(chosenLength(form), now()), ...c.isGroup && {mute_mentions: !mentions.checked}}, null);
    }},
    el('p.hint', {}, t('conv.muteHint')),
    lengths(t('conv.muteFor'), MUTE_SECONDS, MUTE_SECONDS[0], t('conv.muteForever')),
    c.isGroup && el('label.check', {}, mentions, t('conv.mentionsPass')),
    el('div.buttons', {}, textButton('quiet', t('dialog.cancel'), () => dialog.close()), el('button.primary', {type: 'submit'}, t('conv.muteDo'))));
    const dialog = openDialog(t('conv.muteTitle', {name}), form);
    form.elements.seconds[0].focus();
}

function openExpiryDialog(chat, c) {
    const present = c.settings.expires_in ?? null;
    const all = EXPIRY_SECONDS.includes(present) ? EXPIRY_SECONDS : [...EXPIRY_SECONDS, present].sort((a, b) => a - b);
    const form = el('form', {onsubmit: (event) => {
        event.preventDefault();
        dialog.close();
        change(chat, c, {expires_in: chosenLength(form)}, null);
    }},
    el('p.hint', {}, t('conv.expiryHint')), lengths(t('conv.expiryFor'), all, present, t('conv.expiryOff')),
    el('div.buttons', {}, textButton('quiet', t('dialog.cancel'), () => dialog.close()), el('button.primary', {type: 'submit'}, t('conv.expirySet'))));
    const dialog = openDialog(t('conv.expiryTitle'), form);
    form.querySelector(':checked').focus();
}

// Lengths of time to choose from, in seconds; null is the one without an end.
function lengths(legend, all, present, endless) {
    return el('fieldset.choices', {}, el('legend', {}, legend), all.map((seconds) => el('label.choice', {},
        el('input', {type: 'radio', name: 'seconds', value: seconds ?? '', checked: seconds === present}), seconds === null ? endless : span(seconds))));
}

function chosenLength(form) {
    const seconds = new FormData(form).get('seconds');
    return seconds === '' ? null : Number(seconds);
}
