// SPDX-License-Identifier: BSD-2-Clause
import {ask, say} from './dialog.js';
import {reasonOf, t} from './i18n.js';

// What can be done about a friend, as items of a menu.
export function friendMenu(chat, userId) {
    const {people} = chat;
    const change = (name) => chat.befriend(name, userId).catch((problem) => say(reasonOf(problem)));
    const remove = async () => {
        if (await ask(t('people.removeAsk', {name: people.name(userId)}), t('people.remove')))
            await change('removeFriend');
    };
    return [
        people.hasBlocked(userId) ? {label: t('people.unblock'), icon: 'block', act: () => change('unblock')} :
            {label: t('people.block'), icon: 'block', danger: true, act: () => change('block')},
        {label: t('people.remove'), icon: 'remove', danger: true, act: remove},
    ];
}
