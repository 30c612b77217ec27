// SPDX-License-Identifier: BSD-2-Clause
// To the messages of a day.
import {dayOf, now} from './clock.js';
import {beginOfDay, dateOf} from './day_search.js';
import {el, textButton} from './dom.js';
import {openDialog} from './dialog.js';
import {field} from './field.js';
import {dayName} from './format.js';
import {reasonOf, t} from './i18n.js';

// time: of the day that is offered. goTo(message).
export function openDateDialog(chat, c, time, goTo) {
    const input = el('input', {type: 'date', required: true, value: dateOf(time), min: dateOf(c.createdAt), max: dateOf(now())});
    const fault = el('p.fault', {role: 'alert'});
    const nearest = el('div.nearest');
    const submit = el('button.primary', {type: 'submit'}, t('date.go'));
    const leave = (message) => {
        dialog.close();
        goTo(message);
    };
    const say = (text, ...nodes) => {
        fault.textContent = text;
        nearest.replaceChildren(...nodes);
    };
    const look = async (since) => {
        submit.disabled = true;
        say('');
        try {
            const message = await chat.pages.firstSince(c, since);
            if (!dialog.open)
                return;
            if (message !== null && dayOf(message.created_at) === dayOf(since))
                leave(message);
            else
                say(t('date.none'), ...message === null ? [] : [textButton('link', t('date.next', {day: dayName(message.created_at)}), () => leave(message))]);
        } catch (problem) {
            say(reasonOf(problem));
        }
        submit.disabled = false;
    };
    const begin = async () => {
        try {
            const message = await chat.pages.firstSince(c, null);
            if (dialog.open && message !== null)
                leave(message);
            else
                say(t('date.empty'));
        } catch (problem) {
            say(reasonOf(problem));
        }
    };
    const dialog = openDialog(t('date.title'), el('form', {novalidate: true, onsubmit: (event) => {
        event.preventDefault();
        const since = beginOfDay(input.value);
        if (since === null)
            say(t('date.bad'));
        else
            look(since);
    }},
    field(t('date.label'), input), fault, nearest,
    el('div.buttons', {}, textButton('quiet', t('date.begin'), begin), submit)));
    input.focus();
}
