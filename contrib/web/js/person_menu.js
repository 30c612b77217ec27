// SPDX-License-Identifier: BSD-2-Clause
// What can be done about a person, and why they could not be asked to be a friend.
import {ask, say} from './dialog.js';
import {fromNow} from './format.js';
import {reasonOf, t} from './i18n.js';

// As items of a menu. Anyone can be blocked, a friend or not.
export function personMenu(chat, userId) {
    const {people} = chat;
    const change = (name) => chat.befriend(name, userId).catch((problem) => say(reasonOf(problem)));
    const remove = async () => {
        if (await ask(t('people.removeAsk', {name: people.name(userId)}), t('people.remove')))
            await change('removeFriend');
    };
    return [
        people.hasBlocked(userId) ? {label: t('people.unblock'), icon: 'block', act: () => change('unblock')} :
            {label: t('people.block'), icon: 'block', danger: true, act: () => change('block')},
        people.isFriend(userId) && {label: t('people.remove'), icon: 'remove', danger: true, act: remove},
    ];
}

// Why a request to be friends was refused, in words.
export function requestFault(problem, name) {
    if (problem.code === 'blocked')
        return t('people.refusesYou', {name});
    if (problem.code === 'conflict')
        return t('people.askedAlready');
    if (problem.code !== 'rate_limited')
        return reasonOf(problem);
    const wait = fromNow(problem.retryAfterMs ?? 60000);
    return t(problem.detail?.includes('declined') ? 'people.declinedLately' : 'people.askedTooOften', {name, wait});
}
