// SPDX-License-Identifier: BSD-2-Clause
// Who has reacted to a message, and how. It follows the message while it is open.
import {avatar} from './avatar.js';
import {cutOff, el, textButton} from './dom.js';
import {openDialog} from './dialog.js';
import {nameOf, shortTime} from './format.js';
import {reasonOf, t} from './i18n.js';

// emoji: the kind that is shown first; null for all.
export function openReactions(chat, message, emoji = null) {
    const kinds = el('div.reaction-kinds', {role: 'group', 'aria-label': t('reactions.kinds')});
    const status = el('p.hint', {role: 'status'}, t('room.loading'));
    const list = el('ul.list.plain');
    const more = textButton('quiet', t('members.more'), () => load(), {hidden: true});
    const dialog = openDialog(t('reactions.title'), kinds, status, list, more);
    dialog.classList.add('reactions-dialog');
    let items = [], cursor = null, chosen = emoji, request = 0, shown = '';

    const now = () => chat.conversations.messageOf(message) ?? message;
    const showKinds = () => {
        const reactions = now().reactions ?? [];
        const total = reactions.reduce((sum, {count}) => sum + count, 0);
        const hadFocus = kinds.contains(document.activeElement);
        kinds.replaceChildren(...[{emoji: null, count: total}, ...reactions].map((kind) => textButton('reaction', '', () => choose(kind.emoji),
            {'aria-pressed': String(kind.emoji === chosen), 'data-kind': kind.emoji ?? '', 'aria-label': kind.emoji === null ? t('reactions.all', {count: total}) : `${kind.emoji} ${kind.count}`})));
        [...kinds.children].forEach((button, i) => button.append(...i === 0 ? [t('reactions.all', {count: total})] :
            [el('span.reaction-emoji', {}, reactions[i - 1].emoji), el('span.reaction-count', {}, reactions[i - 1].count)]));
        if (hadFocus)
            kinds.querySelector('[aria-pressed=true]')?.focus();
        shown = JSON.stringify(reactions);
        return total;
    };
    const show = () => {
        const total = showKinds();
        status.textContent = total === 0 ? t('reactions.none') : '';
        list.replaceChildren(...items.map(({user_id, emoji: one, at}) => {
            const profile = chat.people.profile(user_id);
            return el('li.person', {'data-user': user_id}, avatar(profile, chat.people.isTrusted(user_id)),
                el('span.person-text', {}, cutOff('strong.name', user_id === chat.me ? t('message.you') : nameOf(profile)), el('time', {datetime: at}, shortTime(at))),
                el('span.reaction-emoji', {}, one));
        }));
        more.hidden = cursor === null;
    };
    const load = async (again = false) => {
        const mine = ++request;
        try {
            const page = await chat.rest.reactions(message.id, {emoji: chosen ?? undefined, cursor: again ? null : cursor});
            if (mine !== request)
                return;
            items = again ? page.items : [...items, ...page.items];
            cursor = page.next_cursor;
            chat.people.want(items.map(({user_id}) => user_id));
            show();
        } catch (problem) {
            if (mine === request)
                status.textContent = reasonOf(problem);
        }
    };
    const choose = (kind) => {
        chosen = kind;
        showKinds();
        load(true);
    };
    const stop = chat.changes.listen(() => {
        if (JSON.stringify(now().reactions ?? []) !== shown)
            load(true);
        else
            show();
    });
    dialog.addEventListener('close', stop);
    showKinds();
    return load(true);
}
