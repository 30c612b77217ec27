// SPDX-License-Identifier: BSD-2-Clause
// The quick switcher: to a conversation or a friend by a few letters of the name.
import {avatar, groupAvatar} from './avatar.js';
import {el, icon} from './dom.js';
import {openDialog} from './dialog.js';
import {t} from './i18n.js';
import {marked} from './marked.js';
import {OptionList} from './option_list.js';
import {candidates, ranked} from './switcher_rank.js';

const SHOWN_MAX = 40;

// current: key of the open conversation, or null; go(key).
export function openSwitcher(chat, current, go) {
    const input = el('input.filter', {type: 'text', placeholder: t('switch.placeholder'), 'aria-label': t('switch.placeholder'), dir: 'auto',
        autocomplete: 'off', spellcheck: 'false', enterkeyhint: 'go', oninput: () => show(false)});
    const status = el('p.unseen', {role: 'status'});
    const none = el('p.empty', {hidden: true}, t('side.noMatch'));
    const choose = ({key}) => {
        dialog.close();
        go(key);
    };
    const list = new OptionList(input, t('switch.title'), choose);
    const show = (keep) => {
        const found = ranked(candidates(chat), input.value, current).slice(0, SHOWN_MAX);
        list.show(found.map((one) => ({key: one.key, nodes: optionNodes(chat, one), attributes: {'data-key': one.key}})), keep);
        none.hidden = found.length > 0;
        status.textContent = t('switch.found', {count: found.length});
    };
    const dialog = openDialog(t('switch.title'), el('div.switcher-list', {}, list.node, none), status,
        el('p.keys', {'aria-hidden': 'true'}, el('span', {}, el('kbd', {}, '↑'), el('kbd', {}, '↓'), t('switch.move')),
            el('span', {}, el('kbd', {}, 'Enter'), t('switch.open')), el('span', {}, el('kbd', {}, 'Esc'), t('dialog.close'))));
    dialog.classList.add('switcher');
    dialog.querySelector('h2').classList.add('unseen');
    dialog.querySelector('h2').after(icon('search'), input);
    dialog.addEventListener('close', chat.changes.listen(() => show(true)));
    show(false);
    input.focus();
    return dialog;
}

function optionNodes(chat, {c, userId, name, ranges, idRanges, unread, muted}) {
    const {people} = chat;
    const picture = userId === null ? groupAvatar({name, avatar_url: c.group.avatar_url}, true) :
        avatar(people.profile(userId), people.isTrusted(userId), people.isOnline(userId));
    return [picture,
        el('span.option-text', {}, el('strong.name.cut-off', {dir: 'auto'}, marked(name, ranges)), under(c, userId, name, idRanges)),
        unread > 0 && el(muted ? 'span.badge.quiet-badge' : 'span.badge', {role: 'img', 'aria-label': t('side.unread', {count: unread})}, unread > 99 ? '99+' : String(unread))];
}

// Beside the name: the id where it says more, or how many members a group has.
function under(c, userId, name, idRanges) {
    if (userId === null)
        return el('small', {}, t('group.members', {count: c.group.member_count}));
    return name === userId ? null : el('small.cut-off', {}, marked(userId, idRanges));
}
