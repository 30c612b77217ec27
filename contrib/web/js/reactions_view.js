// SPDX-License-Identifier: BSD-2-Clause
// The reactions under a message.
import {el, icon} from './dom.js';
import {t} from './i18n.js';
import {nameList} from './name_list.js';

// kinds: [{emoji, count, own, names}], names of the first ones. actions: react(row, emoji), reactions(row, emoji), addReaction(row, anchor)
export function reactionsNode(row, actions) {
    const {kinds} = row;
    if (kinds.length === 0)
        return null;
    const add = el('button.reaction.add', {type: 'button', tabindex: '-1', 'aria-label': t('reactions.add'), title: t('reactions.add'), 'aria-haspopup': 'dialog',
        onclick: () => actions.addReaction(row, add)}, icon('react'));
    return el('div.reactions', {role: 'group', 'aria-label': t('reactions.label')}, kinds.map((kind) => chip(row, kind, actions)), row.mayReact && add);
}

function chip(row, {emoji, count, own, names}, actions) {
    const who = names.length > 0 ? nameList(names, count) : t('reactions.count', {count});
    const title = t('reactions.by', {emoji, who});
    return el(own ? 'button.reaction.own' : 'button.reaction', {type: 'button', 'data-emoji': emoji, 'aria-pressed': String(own), 'aria-label': title, title,
        disabled: !own && !row.mayReact, onclick: () => actions.react(row, emoji),
        oncontextmenu: (event) => {
            event.preventDefault();
            actions.reactions(row, emoji);
        }},
    el('span.reaction-emoji', {'aria-hidden': 'true'}, emoji), el('span.reaction-count', {'aria-hidden': 'true'}, count));
}

// Of a message's row that is shown: without drawing the rest of it anew.
export function showReactions(node, row, actions) {
    const old = node.querySelector(':scope > .reactions');
    const focused = old?.contains(document.activeElement) ? document.activeElement.dataset.emoji ?? '' : null;
    const fresh = reactionsNode(row, actions);
    if (old !== null && fresh !== null)
        old.replaceWith(fresh);
    else if (fresh !== null)
        node.append(fresh);
    else
        old?.remove();
    if (focused !== null)
        (fresh?.querySelector(`[data-emoji="${CSS.escape(focused)}"]`) ?? node).focus({preventScroll: true});
}
