# SPDX-License-Identifier: BSD-2-Clause
# Proves that people stay logged in on the chat page, over reloads, several tabs and tokens that run out; that they see their
# devices and end them; that they change their password; and that a login that ended says why and leaves behind what it should.
use utf8;
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);
my $web = Tidings::Web->start;
my $t = $web->t;
my $anyone = $t->http(undef);
my $password = 'correct horse';
$anyone->post('/users/register', {user_id => $_, password => $password, nickname => ucfirst, device => 'Old phone'}) for qw(ann ben);
$t->befriend(qw(ann ben));

my $login_form = q{document.querySelector('input[name=username]')};
my $kept = q{JSON.parse(localStorage.getItem('tidings-web:account'))};
sub staying { my ($user, %o) = @_; my $page = $web->visit(%o); $page->click('input[name=keep]')->log_in($user, $o{password} // $password); return $page->wait_online }
sub login_of { my ($user, $device) = @_; return $anyone->post('/users/login', {user_id => $user, password => $password, device => $device})->json }
sub http_of { my ($login) = @_; return $t->http(undef, token => $login->{token}) }
sub wait_out { my ($http, $what) = @_; wait_for($what, sub { ($http->get('/users/me')->json->{code} // '') eq 'token_revoked' }); return pass $what } # of another worker: within 2 s
sub devices { my ($page) = @_; return $page->click('.mine')->click('.open-devices')->wait_text('.devices .tag', 'This device') }
sub back { my ($page) = @_; $page->key('Escape', 'Escape')->wait_gone('.dialog'); return $page }

my $ann = staying('ann');
subtest 'staying logged in' => sub {
	my $first = $ann->value("$kept.token");
	my $tab = $web->visit(beside => $ann);
	$tab->wait_online;
	$t->node->clock(3700);
	$ann->wait_value("$kept.token !== '$first'");
	$_->wait_online for $ann, $tab;
	pass 'a token that runs out is replaced, in all tabs';
	$t->node->clock(3700);
	$_->reload->wait_online for $ann, $tab;
	http_of(login_of('ben'))->post('/messages/send', {to_user_id => 'ann', message_type => 'text', content => 'good morning'});
	$_->wait_text('.chat[data-user=ben]', 'good morning') for $ann, $tab;
	is scalar(@{http_of($ann->value($kept))->get('/users/me/logins')->json->{items}}), 2, 'and it is one login, beside the one at registration';
	$tab->close;
};

subtest 'devices' => sub {
	my ($phone, $tablet) = (login_of('ann', 'Safari on iPhone'), login_of('ann', "\x{202e}odd <b>name</b>"));
	devices($ann)->wait_count('.device', 4);
	is $ann->value(q{document.querySelector('.device').querySelector('.name').textContent}), 'Chrome on Linux', 'this one is first, and named';
	is $ann->value(q{document.querySelectorAll('.device:first-child button').length}), 0, 'and ended by logging out alone';
	like $ann->value(q{document.querySelector('.device:nth-child(2) small').textContent}), qr/^last used .+ · 127\.0\.0\.1$/, 'others say when and from where';
	ok $ann->value(q{![...document.querySelectorAll('.device b')].length}), 'a label is text';
	my %name = map { $_->[1] => 1 } $ann->accessible;
	ok $name{'Log out Safari on iPhone'}, 'each button says whose it is';
	ok !(grep { $_->[1] eq '' } $ann->accessible), 'nothing is nameless';
	$ann->click(qq{[data-login="$phone->{login_id}"] button})->wait_count('.device', 3);
	$ann->wait_note('Safari on iPhone was logged out.');
	wait_out(http_of($phone), 'it is out');
	is http_of($tablet)->get('/users/me')->status, 200, 'the others are not';
	ok $ann->value(q{document.activeElement.matches('.devices button')}), 'the keyboard is not lost';
	back($ann);
};

subtest 'another device logs this one out' => sub {
	my $page = staying('ann');
	$page->value(q{localStorage.setItem('tidings-web:ann:drafts', '{"ben":{"text":"secret","replyTo":null,"chosen":[]}}')});
	my $id = $page->value("$kept.login_id");
	$page->click('.mine')->wait_text('.dialog h2', 'Settings');
	devices($ann);
	$ann->click(qq{[data-login="$id"] button});
	back($ann);
	$page->wait_value($_) for $login_form, q{!document.querySelector('dialog')};
	$page->wait_text('.login .fault', 'You were logged out, in another tab or on another device.');
	$page->wait_value(q{!Object.keys(localStorage).some((k) => k.startsWith('tidings-web:a'))});
	pass 'at once, in words, and nothing of theirs stays';
	is_deeply [$page->own_faults], [], 'no fault in the console';
	$page->close;
};

subtest 'changing the password' => sub {
	my $other = staying('ann');
	$other->value(q{localStorage.setItem('tidings-web:ann:drafts', '{"ben":{"text":"not lost","replyTo":null,"chosen":[]}}')});
	$ann->click('.mine')->click('.open-password');
	$ann->fill('.change-password [autocomplete=current-password]', 'wrong horse')->fill('.change-password [autocomplete=new-password]', "short\n");
	$ann->wait_text('.change-password .fault', 'at least 8 characters');
	$ann->fill('.change-password [autocomplete=new-password]', "battery staple\n")->wait_text('.change-password .fault', 'The present password is wrong.');
	ok $ann->value(q{document.activeElement.matches('.change-password [autocomplete=current-password]')}), 'the field that is wrong has the focus';
	$ann->fill('.change-password [autocomplete=current-password]', "$password\n")->wait_text('.note', 'Your password is changed.');
	$ann->wait_gone('.change-password')->key('Escape')->wait_online;
	$other->wait_text('.login .fault', 'Your password was changed on another device.');
	$other->click('input[name=keep]')->log_in('ann', $password)->wait_text('.login .fault', 'wrong');
	$other->log_in('ann', 'battery staple')->wait_online;
	like $other->value(q{localStorage.getItem('tidings-web:ann:drafts')}), qr/not lost/, 'what was written is there after logging in again';
	$other->close;
	$password = 'battery staple';
};

subtest 'logging out' => sub {
	my $page = staying('ann');
	my $login = $page->value($kept);
	$page->click('.mine')->click('.log-out')->wait_value($login_form);
	is $page->value(q{document.querySelector('.login .fault').textContent}), '', 'nothing is wrong';
	wait_out(http_of($login), 'the server knows');
	is $anyone->post('/users/refresh', {refresh_token => $login->{refresh_token}})->json->{code}, 'token_revoked', 'nor can the login be renewed';
	$page->click('input[name=keep]')->log_in('ann', $password)->wait_online;
	$web->browser->cut(1);
	$t->node->stop;
	$page->click('.mine')->click('.log-out')->wait_text('.ask', 'The server cannot be reached');
	$page->key('Escape')->wait_gone('.ask');
	ok $page->value("$kept !== null"), 'a server that is away cannot be told: one is asked';
	$page->click('.log-out')->wait_text('.ask', 'in this browser only')->click('.ask .danger')->wait_value($login_form);
	is $page->value($kept), undef, 'and may go all the same';
	$t->node->start;
	$web->browser->cut(0);
	$page->close;
	$ann->wait_online;
	pass 'the login of another browser stays meanwhile';
};

# A script for a page whose requests that match, or their answers, wait for let_go().
sub holding {
	my ($what, $pattern) = @_;
	return qq{{
		const real = window.fetch;
		const gone = new Promise((resolve) => { window.letGo = resolve; });
		const hold = () => { window.isHeld = true; return gone; };
		window.fetch = async (url, options) => {
			const isMeant = /$pattern/.test(`\${options?.method} \${url}`);
			if (isMeant && '$what' === 'request')
				await hold();
			const response = await real(url, options);
			if (isMeant && '$what' === 'answer') {
				await hold();
				const text = await response.text();
				response.text = async () => { setTimeout(() => { window.isRead = true; }); return text; };
			}
			return response;
		};
	}};
}

subtest 'logging out of a login that ends meanwhile' => sub {
	$anyone->post('/users/register', {user_id => 'cat', password => $password, nickname => 'Cat'});
	my $page = staying('cat', before => holding(request => 'POST .*users.logout'));
	$page->value(q{localStorage.setItem('tidings-web:cat:drafts', '{"ben":{"text":"secret","replyTo":null,"chosen":[]}}')});
	$page->click('.mine')->click('.log-out')->wait_value('isHeld');
	http_of(login_of('cat'))->put('/users/me/password', {old_password => $password, new_password => 'correct staple'});
	$page->wait_value($login_form);
	is $page->value(q{document.querySelector('.login .fault').textContent}), '', 'who wanted to go is not told that the password was changed';
	$page->wait_value(q{!Object.keys(localStorage).some((k) => k.startsWith('tidings-web:cat'))});
	pass 'and nothing of theirs stays';
	$page->close;
};

subtest 'an answer that comes after logging out' => sub {
	$anyone->post('/users/register', {user_id => 'dan', password => $password, nickname => 'Dan'});
	$t->befriend(qw(dan ben));
	$t->send_text(qw(ben dan hello));
	my $page = staying('dan', before => holding(answer => 'PUT .*settings'));
	$page->open_chat('ben')->type('#compose', 'a secret draft')->wait_value('isHeld');
	$page->click('.mine')->click('.log-out')->wait_value($login_form);
	$page->value('letGo()');
	$page->wait_value('isRead');
	is_deeply $page->value(q{Object.keys(localStorage).filter((k) => k.startsWith('tidings-web:dan'))}), [], 'brings nothing back';
	$page->close;
};

subtest 'what was not sent yet' => sub {
	my $page = staying('dan');
	$page->open_chat('ben');
	my $tab = $web->visit(beside => $page);
	$tab->wait_online;
	$web->browser->cut(1);
	$page->say_text($_) for 'one', 'two';
	$page->wait_value(q{(JSON.parse(localStorage.getItem('tidings-web:dan:outbox')) ?? []).length === 2});
	$tab->wait_value(q{(JSON.parse(localStorage.getItem('tidings-web:dan:outbox')) ?? []).length === 2}); # of another process
	$tab->click('.mine')->click('.log-out')->wait_text('.ask', 'Log out? 2 messages that were not sent yet will be lost.')->key('Escape')->wait_gone('.ask');
	pass 'one is asked in another tab, too';
	$tab->click('.open-devices')->wait_text('.devices .tag', 'This device');
	$tab->click('.end-all')->wait_text('.ask', '2 messages that were not sent yet will be lost here.')->key('Escape');
	pass 'and where all logins end';
	$web->browser->cut(0);
	$page->wait_online->wait_gone('.message.pending');
	$_->close for $tab, $page;
	$page = $web->visit;
	$page->log_in('dan', $password)->wait_online;
	$page->open_chat('ben');
	$web->browser->cut(1);
	$page->say_text('three');
	$page->wait_value(q{(JSON.parse(sessionStorage.getItem('tidings-web:dan:outbox')) ?? []).length === 1});
	$page->go($web->address . '/?again#token=' . $t->token('ben'));
	$page->wait_text('.ask', '1 message of dan that was not sent yet will be lost.')->key('Escape')->wait_gone('.ask');
	pass 'and by a link that is opened in a page that is loaded for it';
	$web->browser->cut(0);
	$page->wait_online->open_chat('ben')->wait_last('three')->wait_gone('.message.pending');
	$page->close;
};

subtest 'staying logged in in the place of another' => sub {
	my $dan = staying('dan');
	my $login = $dan->value($kept);
	my $tab = $web->visit(beside => $dan, hash => '#token=' . $t->token('ben'));
	$tab->click('.ask .primary')->wait_text('.mine .name', 'Ben');
	$tab->click('.mine')->click('.log-out')->wait_value($login_form);
	$tab->click('input[name=keep]')->log_in('cat', 'correct staple');
	$tab->wait_text('.ask', 'dan stays logged in in this browser')->key('Escape')->wait_text('.mine .name', 'Cat');
	is $dan->value("$kept.user_id"), 'dan', 'who does not agree is logged in in this tab alone';
	$tab->wait_online->click('.mine')->click('.log-out')->wait_value($login_form);
	$tab->click('input[name=keep]')->log_in('cat', 'correct staple');
	$tab->wait_text('.ask', 'dan stays logged in')->click('.ask .danger')->wait_text('.mine .name', 'Cat');
	# Dan's tab may take it away for a moment, see below.
	$tab->wait_value("$kept?.user_id === 'cat'");
	pass 'who agrees stays';
	$dan->wait_text('.login .fault', 'You were logged out, in another tab');
	wait_out(http_of($login), 'and the login before is over');
	# As a process does that has not heard yet that another login is kept.
	$tab->value(q{void addEventListener('storage', ({key, newValue}) => { window.isGone ||= key === 'tidings-web:account' && newValue === null; })});
	$dan->value(q{localStorage.removeItem('tidings-web:account')});
	$tab->wait_value('window.isGone');
	$_->wait_value("$kept?.user_id === 'cat'") for $tab, $dan;
	pass 'whose tab cannot take away the next one';
	$_->close for $tab, $dan;
};

subtest 'everywhere' => sub {
	my $page = staying('ann');
	my $token = $t->token('ann');
	devices($page)->click('.end-all')->wait_text('.ask', 'Log out on all devices, this one too?')->click('.ask .danger');
	$_->wait_value($login_form) for $page, $ann;
	$ann->wait_text('.login .fault', 'You were logged out');
	wait_out($t->http(undef, token => $token), 'links too');
	$page->close;
};

subtest 'in the dark, on a phone, in Chinese' => sub {
	my $page = $web->visit(width => 360, height => 640, mobile => 1, before => q{localStorage.setItem('tidings-web:language', 'zh')});
	$page->theme('dark')->log_in('ann', $password)->wait_online;
	$page->click('.mine')->click('.open-devices')->wait_text('.devices .tag', '此设备');
	ok $page->value(q{document.documentElement.scrollWidth <= 360 && [...document.querySelectorAll('dialog')].every((d) => d.scrollWidth <= d.clientWidth)}), 'nothing is wider than the screen';
	unlike $page->value(q{document.querySelector('dialog:has(.devices)').innerText}) =~ s/Chrome|Linux|Safari|phone|Old|odd|name|<b>|<\/b>//gr, qr/[A-Za-z]{4,}/, 'no English word is left over';
	is_deeply [$page->own_faults], [], 'no fault in the console';
	$page->close;
};

$web->stop;
done_testing;
