# SPDX-License-Identifier: BSD-2-Clause
# Proves what the chat page offers to members, admins and the owner of a group, and what each of them sees at once when
# another does it: roles, muting, settings, slow mode, adding, removing, banning, passing on, leaving, dissolving; and
# that a user who is removed or comes back while the group is open sees that, without losing a draft.
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
my $web = Tidings::Web->start;
my $t = $web->t;
$t->befriend(qw(ann ben cat));
$t->befriend(qw(ann dan));
my $group = $web->group('Walkers', 'ann', [qw(ben cat)]);
my ($ann, $ben, $cat) = map { $web->enter($_) } qw(ann ben cat);
$_->open_group($group) for $ann, $ben, $cat;

# Until the page has read who is in the group, which it does after it has shown it.
sub wait_members { my ($page) = @_; $page->wait_value("performance.getEntriesByType('resource').some(({name}) => name.includes('/groups/$group/members'))"); return $page }
sub actions {
	my ($page, $user) = @_;
	$page->click(".members [data-user=$user] .more")->wait_text('.menu-person .name', ucfirst $user);
	my $items = $page->value(q{[...document.querySelectorAll('[role=menuitem]')].map((e) => e.textContent)});
	$page->key('Escape')->wait_gone('.menu');
	return $items;
}

subtest 'what is offered' => sub {
	$ann->wait_friends('ben')->open_panel('members')->wait_count('.members li', 3);
	is_deeply $ann->value(q{[...document.querySelectorAll('.members .name')].map((e) => e.textContent)}), ['Ann (you)', 'Ben', 'Cat'], 'the owner comes first';
	is_deeply $ann->value(q{[...document.querySelectorAll('.group-tabs [role=tab]')].filter((e) => !e.hidden).map((e) => e.firstChild.data)}), ['Members', 'Invites', 'Requests', 'Settings'], 'an admin has all tabs';
	is_deeply actions($ann, 'ben'), ['Mention', 'Message', 'Make admin', 'Pass the group on', "Mute \x{2026}", 'Remove', 'Remove and ban'], 'and the owner all that can be done';
	$ann->fill('.group-members .filter', 'ca')->wait_count('.members li', 1);
	$ann->fill('.group-members .filter', 'zzz')->wait_text('.group-members [role=status]', 'Nobody found');
	pass 'members are searched';
	$ann->fill('.group-members .filter', ' ')->wait_count('.members li', 3);
	$ben->wait_friends(qw(ann cat))->open_panel('members')->wait_count('.members li', 3);
	is_deeply actions($ben, 'cat'), ['Mention', 'Message'], 'a member can do nothing to others';
	is_deeply $ben->value(q{[...document.querySelectorAll('.group-tabs [role=tab]')].filter((e) => !e.hidden).map((e) => e.firstChild.data)}), ['Members', 'Invites', 'Settings'], 'and has no requests';
	$ben->click('[data-tab=settings]');
	$ben->wait_value(q{document.querySelector('.group-settings fieldset').disabled && document.querySelector('.group-settings [name=name]').value === 'Walkers'});
	pass 'reads the settings';
	$ben->click('[data-tab=members]');
};

subtest 'an admin' => sub {
	$ann->choose('.members [data-user=ben]', 'Make admin')->wait_text('.members [data-user=ben]', 'Admin');
	$ben->wait_text('.members [data-user=ben]', 'Admin')->wait_value(q{!document.querySelector('.group-tabs [data-tab=requests]').hidden});
	is_deeply actions($ben, 'cat'), ['Mention', 'Message', "Mute \x{2026}", 'Remove', 'Remove and ban'], 'is one at once, while looking';
	is_deeply actions($ben, 'ann'), ['Mention', 'Message'], 'not over the owner';
	$ben->wait_text('.system:last-child', 'You are an admin now');
	pass 'and is told';
};

subtest 'muting' => sub {
	# No page has heard of it when she sends.
	my $mute = sub { $t->dbh->do('UPDATE members SET muted_until = UTC_TIMESTAMP(3) + INTERVAL ? DAY WHERE conversation_id = ? AND user_id = ?', undef, $_[0], $group, 'cat') };
	$cat->type('#compose', 'too loud')->value(q{(() => { const plain = fetch; const sent = new Promise((resolve) => { window.sent = resolve; });
		window.fetch = async (url, o) => { if (/members/.test(url)) await sent; return plain(url, o); }; return 0; })()});
	$mute->(1);
	$cat->key('Enter')->value('sent(), 0');
	$cat->wait_text('.room-notice', 'You are muted in this group until');
	ok !$cat->value(q{document.querySelector('.composer').checkVisibility()}), 'in place of the composer it says why, and until when';
	$cat->wait_text('.message.failed .failure', 'You are muted in this group');
	$mute->(-1);
	# What happened before may have had the page read it meanwhile.
	$ben->close_panel->open_panel('members')->wait_value(q{document.querySelector('.members [data-user=cat]')?.textContent.includes('muted') === false});
	$ben->choose('.members [data-user=cat]', 'Mute')->click('.dialog form .danger')->wait_text('.members [data-user=cat]', 'muted until');
	$ben->choose('.members [data-user=cat]', 'Unmute');
	$ben->wait_value(q{!document.querySelector('.members [data-user=cat]').textContent.includes('muted')});
	$cat->reload->wait_online;
	$cat->wait_value(q{document.querySelector('.composer').checkVisibility()});
	$cat->click('.failure .retry')->wait_gone('.message.failed')->wait_last('too loud');
	pass 'and what could not be sent is sent when it can be';
	my $quick = $web->enter('cat', before => q{ const every = setInterval; window.setInterval = (act, ms, ...given) => every(act, Math.min(ms, 100), ...given); });
	wait_members($quick->open_group($group));
	$t->api('ben')->put("/groups/$group/members/cat", {muted_until => '2099-01-01T00:00:00Z'});
	$quick->say_text('still loud')->wait_text('.room-notice', 'You are muted in this group until');
	$t->api('ben')->put("/groups/$group/members/cat", {muted_until => undef});
	$quick->wait_value(q{document.querySelector('.composer').checkVisibility()});
	pass 'who is muted and has the group open learns of the end of it';
	$quick->click('.failure .retry')->wait_gone('.message.failed')->wait_last('still loud');
	$quick->close;
};

subtest 'profile and settings' => sub {
	$ann->open_panel('settings') if !$ann->value(q{document.querySelector('.group-dialog') !== null});
	$ann->click('[data-tab=settings]');
	$ann->wait_value(q{document.querySelector('.group-settings [name=name]').value === 'Walkers'});
	$ann->fill('.group-settings [name=name]', ' ')->click('.group-settings .primary')->wait_text('.group-settings .fault', 'A group needs a name');
	$ann->fill('.group-settings [name=name]', 'Sunday walkers')->click('.group-settings .primary');
	$_->wait_text('.room-title h2', 'Sunday walkers')->wait_text('.chat[aria-current] .name', 'Sunday walkers') for $ann, $ben, $cat;
	$cat->wait_text('.system:last-child', 'Ann renamed the group');
	pass 'a new name is there at once, for all';
	$ann->fill('.group-settings [name=about]', 'Every Sunday')->click('.group-settings .primary');
	$ben->wait_text('.group-about', 'Every Sunday');
	$ann->value(q{(() => { const s = document.querySelector('.group-settings [name=send]'); s.value = 'admins'; return 0; })()});
	$ann->click('.group-settings .primary');
	$cat->wait_text('.room-notice', 'Only admins can write');
	ok $ben->value(q{!document.querySelector('.composer').hidden}), 'only admins can write: said to those who are none';
	$t->api('ann')->put("/groups/$group", {settings => {send => 'all', slow_mode_seconds => 3600}});
	$cat->wait_value(q{document.querySelector('.composer').checkVisibility()});
	$cat->wait_text('.slow', 'Slow mode: you can send again in');
	$cat->type('#compose', 'again')->key('Enter');
	is_deeply [$cat->value(q{document.querySelector('#compose').value}), $cat->value(q{document.querySelector('.send').disabled})], ['again', JSON::PP::true], 'slow mode counts down, and keeps what is written';
	$t->api('ann')->put("/groups/$group", {settings => {slow_mode_seconds => 0}});
	$cat->wait_value(q{!document.querySelector('.send').disabled});
	$cat->click('#compose')->key('Enter')->wait_last('again');
};

subtest 'adding' => sub {
	$ann->click('[data-tab=members]')->click('.add-members')->wait_count('.picks li', 1)->click('.picks [data-user=dan]');
	$t->api('dan')->put('/friends/ann/block');
	$ann->click('.dialog form .primary')->wait_text('.left-out [data-user=dan]', 'does not want to be added by you');
	$t->api('dan')->delete('/friends/ann/block');
	$ann->key('Escape')->wait_gone('.left-out');
	$ann->click('.add-members')->click('.picks [data-user=dan]')->click('.dialog form .primary')->wait_text('.members [data-user=dan]', 'Member');
	$cat->wait_text('.system:last-child', 'Ann added Dan')->wait_text('.room-status', '4 members');
	pass 'and those who are there see it';
	$ann->click('.add-members')->wait_text('.picker', 'All your friends are in this group');
	is $ann->value(q{document.querySelector('.add-form .primary').checkVisibility()}), JSON::PP::false, 'there is nobody left to add';
	$ann->key('Escape')->wait_gone('.picker')->close_panel;
};

subtest 'removed while it is open' => sub {
	$cat->type('#compose', 'half a thought');
	# The server has it, too, and forgets it with the member.
	wait_for('the draft to be stored', sub { ($t->api('cat')->get("/messages/conversations/$group")->json->{settings}{draft} // '') eq 'half a thought' });
	$ben->choose('.members [data-user=cat]', 'Remove')->agree->wait_gone('.members [data-user=cat]');
	$cat->wait_text('.room-notice', 'You were removed from this group')->wait_gone('.chat')->wait_gone('.message');
	ok !$cat->value(q{document.querySelector('.composer').checkVisibility() || document.querySelector('.group-info').checkVisibility()}), 'the room says so, and shows nothing more of it';
	is $cat->value(q{document.activeElement.closest('.room-notice') !== null}), JSON::PP::true, 'the focus goes to what is left';
	$t->api('ann')->post("/groups/$group/members", {user_ids => ['cat']});
	$cat->wait_text('.chat .name', 'Sunday walkers')->wait_text('.system:last-child', 'Ann added you');
	is $cat->value(q{document.querySelector('#compose').value}), 'half a thought', 'added again, all is back, and the draft too';
	$cat->fill('#compose', 'hello again')->key('Enter')->wait_last('hello again');
	$ann->wait_last('hello again');
	$cat->insert('not yet')->value(q{location.hash = '#/'; 0});
	wait_for('the draft to be stored', sub { ($t->api('cat')->get("/messages/conversations/$group")->json->{settings}{draft} // '') eq 'not yet' });
	$t->api('ann')->delete("/groups/$group/members/cat");
	$cat->wait_note('You were removed from Sunday walkers.')->wait_gone('.chat');
	$ben->wait_gone('.members [data-user=cat]');
	$t->api('ann')->post("/groups/$group/members", {user_ids => ['cat']});
	$cat->open_group($group)->wait_composer('not yet');
	pass 'also where it was not open, and the server has forgotten the draft with the member';
	$cat->value(q{location.hash = '#/'; 0});
	$cat->wait_value(q{!document.querySelector('.chat[aria-current]')});
	$ben->wait_text('.members [data-user=cat]', 'Member')->choose('.members [data-user=cat]', 'Remove and ban')->agree->wait_gone('.members [data-user=cat]');
	$cat->wait_note('You were removed from Sunday walkers.')->wait_gone('.chat');
	$ben->click('[data-tab=requests]')->wait_text('[data-section=bans] .name', 'Cat');
	$ben->click('[data-section=bans] .quiet')->wait_text('[data-section=bans]', 'Nobody is banned');
	pass 'bans are listed and lifted';
	$ben->close_panel;
};

subtest 'out of it' => sub {
	$ann->open_panel('members')->click('.leave')->wait_text('.note', 'Pass the group on');
	$ann->choose('.members [data-user=ben]', 'Pass the group on')->click('.ask .primary')->wait_text('.members [data-user=ben]', 'Owner');
	$ann->wait_value(q{!document.querySelector('.dissolve').checkVisibility()});
	$ben->wait_event('Ann passed the group on to you');
	pass 'an owner passes it on first';
	my $other = $web->enter('ann');
	$other->open_group($group);
	$ann->click('.leave')->agree->wait_gone('.chat')->wait_gone('.group-dialog')->wait_value(q{document.activeElement.matches('.side .filter')});
	pass 'left, the focus is at the list of conversations';
	$other->wait_text('.room-notice', 'You left this group')->wait_gone('.chat');
	pass 'leaving is seen in the user\'s other page';
	$ben->wait_text('.system:last-child', 'Ann left the group');
	my $dan = $web->enter('dan');
	wait_members($dan->open_group($group))->type('#compose', 'too late');
	$t->api('ben')->put("/groups/$group/members/dan", {muted_until => '2099-01-01T00:00:00Z'});
	$dan->key('Enter')->wait_text('.message.failed .failure', 'Send again');
	$dan->open_panel('members');
	$ben->open_panel('settings')->click('.dissolve')->agree->wait_gone('.group-dialog');
	$_->wait_text('.room-notice', 'This group was dissolved') for $ben, $dan;
	$dan->wait_value(q{!document.querySelector('.add-members').checkVisibility()});
	$dan->wait_event('Ben dissolved the group');
	pass 'dissolved: it can be read, and no more';
	$dan->close_panel->wait_text('.message.failed .failure', 'Discard');
	$dan->wait_text('.chat small', 'dissolved');
	is $dan->count('.retry'), 0, 'what was not sent can be discarded alone';
	$dan->click('.failure .discard')->wait_gone('.message.failed')->click('.group-info');
	$dan->click('.leave')->agree->wait_gone('.chat');
	$dan->close;
	$other->close;
};

is_deeply [map { $_->own_faults } $ann, $ben, $cat], [], 'no error in the consoles, nothing refused by the policy';
$web->stop;
done_testing;
