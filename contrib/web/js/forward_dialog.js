// SPDX-License-Identifier: BSD-2-Clause
// Forwards messages: where to, with which comment, as copies or as one; and what became of each target.
import {cutOff, el, icon, textButton} from './dom.js';
import {openDialog, say} from './dialog.js';
import {field} from './field.js';
import {reasonOf, t} from './i18n.js';
import {nameList} from './name_list.js';
import {TargetPicker} from './target_picker.js';

const TARGETS_MAX = 20; // of the protocol
const COMMENT_MAX = 4000;

function randomKey() {
    return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

// messages: in order. onDone(): all of it was sent.
export function openForward(chat, messages, onDone = () => {}) {
    const fault = el('p.fault', {role: 'alert'});
    const comment = el('input', {type: 'text', dir: 'auto', maxlength: String(COMMENT_MAX), autocomplete: 'off'});
    const merged = el('input', {type: 'checkbox'});
    const submit = el('button.primary', {type: 'submit', disabled: true}, t('forward.submit'));
    const picker = new TargetPicker(chat, TARGETS_MAX, () => {
        submit.disabled = picker.targets.length === 0;
    });
    const results = el('ul.forward-results', {'aria-label': t('forward.results'), hidden: true});
    let request = null; // {key, text}: what was tried; the same again finds what was stored

    const send = async () => {
        const {targets} = picker;
        const wanted = {ids: messages.map(({id}) => id), to: targets.map(({to}) => to), options: {merged: merged.checked && messages.length > 1, comment: comment.value.trim() || undefined}};
        const text = JSON.stringify(wanted);
        if (request?.text !== text)
            request = {key: randomKey(), text};
        submit.disabled = true;
        fault.textContent = '';
        try {
            const outcome = await chat.forward(wanted.ids, wanted.to, {...wanted.options, client_msg_id: request.key});
            finish(targets, outcome);
        } catch (problem) {
            fault.textContent = problem.code === 'not_found' || problem.code === 'invalid_argument' ? t('forward.gone') : reasonOf(problem);
        }
        submit.disabled = false;
    };
    const finish = (targets, outcome) => {
        if (outcome.every(({error}) => !error)) {
            dialog.close();
            say(t('forward.done', {names: nameList(targets.slice(0, 3).map(({name}) => name), targets.length)}));
            onDone();
            return;
        }
        choice.hidden = true;
        results.hidden = false;
        submit.textContent = t('forward.again');
        results.replaceChildren(...outcome.map(({error}, i) => el(error ? 'li.bad' : 'li', {}, icon(error ? 'alert' : 'check'),
            el('span.person-text', {}, cutOff('strong.name', targets[i].name), el('small', {}, error ? reasonOf(error) : t('forward.sent'))))));
        submit.focus();
    };
    const choice = el('div.forward-choice', {}, picker.node, field(t('forward.comment'), comment),
        messages.length > 1 && el('label.check', {}, merged, t('forward.merged')));
    const dialog = openDialog(t(messages.length === 1 ? 'forward.title' : 'forward.titleMany', {count: messages.length}),
        el('div.forwarding', {}, icon('forward'), el('span.person-text', {}, cutOff('span', chat.shortText(messages[0])),
            messages.length > 1 && el('small', {}, t('forward.andMore', {count: messages.length - 1})))),
        el('form.forward-form', {onsubmit: (event) => {
            event.preventDefault();
            if (!submit.disabled)
                send();
        }}, choice, results, fault, el('div.buttons', {}, textButton('quiet', t('dialog.cancel'), () => dialog.close()), submit)));
    dialog.classList.add('forward-dialog');
    if (!chat.people.loaded) {
        const stop = chat.changes.listen(() => chat.people.loaded && picker.refresh());
        dialog.addEventListener('close', stop);
    }
    picker.focus();
}
