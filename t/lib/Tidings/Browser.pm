# SPDX-License-Identifier: BSD-2-Clause
# A headless Chromium, driven through its debugging protocol over a pair of pipes (JSON texts, each ended by NUL), so
# that no port, driver or library is needed. Each page has a browser context of its own: another person's browser.
package Tidings::Browser;
use strict;
use warnings;
use IO::Select;
use JSON::PP ();
use MIME::Base64 ();
use POSIX ();
use Tidings::Util qw(now patience signal_and_reap);

my $json = JSON::PP->new->utf8->allow_nonref;

# Where the program is, or undef.
sub program {
	for my $name (qw(chromium chromium-browser google-chrome)) {
		for my $folder (split /:/, $ENV{PATH} // '') { return "$folder/$name" if -x "$folder/$name" }
	}
	return undef;
}

# dir: for the profile and the log.
sub start {
	my ($class, $dir) = @_;
	pipe(my $their_in, my $to) or die "pipe: $!\n";
	pipe(my $from, my $their_out) or die "pipe: $!\n";
	my @cmd = (program() // die("no Chromium\n"), qw(--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
		--disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage
		--disable-default-apps --no-proxy-server --remote-debugging-pipe), "--user-data-dir=$dir/chromium", 'about:blank');
	my $pid = fork // die "fork: $!\n";
	if (!$pid) {
		setpgrp 0, 0;
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', "$dir/chromium.log" or POSIX::_exit(127);
		open STDERR, '>&', \*STDOUT or POSIX::_exit(127);
		# First out of the way of 3 and 4, which they may be themselves.
		my ($in, $out) = map { POSIX::dup2(fileno $_->[0], $_->[1]) // POSIX::_exit(127) } [$their_in, 20], [$their_out, 21];
		POSIX::dup2($in, 3);
		POSIX::dup2($out, 4);
		POSIX::close($_) for 20, 21;
		exec @cmd or POSIX::_exit(127);
	}
	close $_ for $their_in, $their_out;
	$to->autoflush(1);
	return bless {pid => $pid, owner => $$, to => $to, from => $from, in => '', calls => 0, answers => {}, pages => {}}, $class;
}

sub stop {
	my ($self) = @_;
	return if $self->{owner} != $$;
	my $pid = delete $self->{pid} or return;
	close $self->{$_} for qw(to from);
	# Its helpers are in its group, and all of them go.
	kill 'TERM', -$pid;
	signal_and_reap($pid, 'TERM', 5);
	kill 'KILL', -$pid;
	return;
}

sub DESTROY { $_[0]->stop }

# Calls a method of the protocol and returns its result; errors die.
sub call {
	my ($self, $method, $params, $session) = @_;
	my $id = ++$self->{calls};
	print {$self->{to}} $json->encode({id => $id, method => $method, params => $params // {},
		$session ? (sessionId => $session) : ()}), "\0";
	my $deadline = now() + patience();
	while (!$self->{answers}{$id}) {
		die "Chromium does not answer $method\n" if now() > $deadline;
		$self->read_some(0.5);
	}
	my $answer = delete $self->{answers}{$id};
	die "$method: $answer->{error}{message}\n" if $answer->{error};
	return $answer->{result};
}

sub read_some {
	my ($self, $timeout) = @_;
	return if !IO::Select->new($self->{from})->can_read($timeout);
	sysread($self->{from}, $self->{in}, 65536, length $self->{in}) or die "Chromium has ended\n";
	while ($self->{in} =~ s/\A([^\0]*)\0//) {
		my $text = $json->decode($1);
		if (defined $text->{id}) { $self->{answers}{$text->{id}} = $text }
		elsif (my $page = $self->{pages}{$text->{sessionId} // ''}) { $page->event($text) }
	}
	return;
}

# A new person's page at that address, or beside => $page: another tab of that one's. width, height, mobile (with a touch
# screen), before: a script that runs first in every document.
sub page {
	my ($self, $url, %o) = @_;
	my $context = $o{beside} ? $o{beside}{context} : $self->call('Target.createBrowserContext')->{browserContextId};
	my $target = $self->call('Target.createTarget', {url => 'about:blank', browserContextId => $context})->{targetId};
	my $session = $self->call('Target.attachToTarget', {targetId => $target, flatten => JSON::PP::true})->{sessionId};
	my $page = bless {browser => $self, session => $session, target => $target, context => $context, faults => []}, 'Tidings::Browser::Page';
	$self->{pages}{$session} = $page;
	$page->call("$_.enable") for qw(Page Runtime Log);
	$page->call('Emulation.setFocusEmulationEnabled', {enabled => JSON::PP::true});
	$page->call('Emulation.setDeviceMetricsOverride', {width => $o{width} // 1100, height => $o{height} // 700,
		deviceScaleFactor => 1, mobile => $o{mobile} ? JSON::PP::true : JSON::PP::false});
	$page->call('Emulation.setTouchEmulationEnabled', {enabled => JSON::PP::true}) if $o{mobile};
	$page->call('Page.addScriptToEvaluateOnNewDocument', {source => $o{before}}) if $o{before};
	$page->go($url);
	return $page;
}

package Tidings::Browser::Page;
use Tidings::Util qw(spew wait_for);

sub call { my ($self, $method, $params) = @_; return $self->{browser}->call($method, $params, $self->{session}) }

# What a page must not do is kept: exceptions, and errors in its console.
sub event {
	my ($self, $event) = @_;
	my ($method, $p) = @$event{qw(method params)};
	if ($method eq 'Runtime.exceptionThrown') {
		my $e = $p->{exceptionDetails};
		push @{$self->{faults}}, $e->{exception}{description} // $e->{text};
	} elsif ($method eq 'Log.entryAdded' && $p->{entry}{level} eq 'error') {
		push @{$self->{faults}}, join ' ', $p->{entry}{text}, $p->{entry}{url} // ();
	}
	return;
}

# The faults so far, once.
sub take_faults { my ($self) = @_; $self->value('0'); return splice @{$self->{faults}} }

sub go { my ($self, $url) = @_; $self->call('Page.navigate', {url => $url}); return $self }

# The value of a JavaScript expression.
sub value {
	my ($self, $expression) = @_;
	my $r = $self->call('Runtime.evaluate', {expression => $expression, returnByValue => JSON::PP::true,
		awaitPromise => JSON::PP::true});
	die "$expression: $r->{exceptionDetails}{exception}{description}\n" if $r->{exceptionDetails};
	return $r->{result}{value};
}

# Waits until the expression is true and returns its value.
sub wait_value {
	my ($self, $expression) = @_;
	return wait_for($expression, sub { eval { $self->value($expression) } });
}

# Waits until an element of the selector shows that text.
sub wait_text {
	my ($self, $selector, $text) = @_;
	my ($s, $t) = map { JSON::PP->new->allow_nonref->encode($_) } $selector, $text;
	$self->wait_value("[...document.querySelectorAll($s)].some((e) => e.checkVisibility() && e.textContent.includes($t))");
	return $self;
}

my $literal = JSON::PP->new->allow_nonref;

# The middle of the first visible element of the selector, with that text if one is given.
sub middle_of {
	my ($self, $selector, $text) = @_;
	my ($s, $t) = map { $literal->encode($_ // '') } $selector, $text;
	return $self->wait_value("(() => { const e = [...document.querySelectorAll($s)].find((e) => e.checkVisibility() && e.textContent.includes($t));"
		. 'if (!e || e.disabled) return null; e.scrollIntoView({block: "nearest"}); const r = e.getBoundingClientRect();'
		. 'return {x: r.x + r.width / 2, y: r.y + r.height / 2}; })()');
}

# A real click there.
sub click {
	my ($self, $selector, $text) = @_;
	my $at = $self->middle_of($selector, $text);
	for my $type (qw(mouseMoved mousePressed mouseReleased)) {
		$self->call('Input.dispatchMouseEvent', {type => $type, %$at, button => $type eq 'mouseMoved' ? 'none' : 'left',
			clickCount => $type eq 'mouseMoved' ? 0 : 1});
	}
	return $self;
}

# A finger there, which stays until release().
sub press {
	my ($self, $selector) = @_;
	$self->call('Input.dispatchTouchEvent', {type => 'touchStart', touchPoints => [$self->middle_of($selector)]});
	return $self;
}
sub release { my ($self) = @_; $self->call('Input.dispatchTouchEvent', {type => 'touchEnd', touchPoints => []}); return $self }

# Keys by their names, pressed where the focus is; "Shift+Tab".
my %code = (Enter => 13, Tab => 9, Escape => 27, Space => 32, End => 35, Home => 36, ArrowLeft => 37, ArrowUp => 38, ArrowRight => 39, ArrowDown => 40, Delete => 46);
sub key {
	my ($self, @names) = @_;
	for my $name (@names) {
		my ($shift, $plain) = $name =~ /\A(Shift\+)?(\w+)\z/;
		my %key = (key => $plain eq 'Space' ? ' ' : $plain, code => $plain, windowsVirtualKeyCode => $code{$plain}, modifiers => $shift ? 8 : 0,
			$plain eq 'Enter' ? (text => "\r") : $plain eq 'Space' ? (text => ' ') : ());
		$self->call('Input.dispatchKeyEvent', {type => $_, %key}) for 'keyDown', 'keyUp';
	}
	return $self;
}

# Text where the focus is.
sub insert { my ($self, $text) = @_; $self->call('Input.insertText', {text => $text}); return $self }

# Types into the element that has the focus after a click on it; "\n" is the enter key.
sub type {
	my ($self, $selector, $text) = @_;
	$self->click($selector);
	for my $part (split /(\n)/, $text) {
		if ($part eq "\n") { $self->key('Enter') } else { $self->insert($part) }
	}
	return $self;
}

# The same in place of what is there.
sub fill {
	my ($self, $selector, $text) = @_;
	$self->click($selector)->value('document.activeElement.select()');
	$self->key('Delete');
	return $self->type($selector, $text);
}

# What a screen reader is told: [role, name] of everything that can be operated or is a picture, nameless ones too.
sub accessible {
	my ($self) = @_;
	my %wanted = map { $_ => 1 } qw(button link textbox searchbox checkbox radio combobox tab menuitem img dialog image);
	return map { [$_->{role}{value}, $_->{name}{value} // ''] }
		grep { !$_->{ignored} && $wanted{lc($_->{role}{value} // '')} } @{$self->call('Accessibility.getFullAXTree')->{nodes}};
}

sub close { my ($self) = @_; $self->{browser}->call('Target.closeTarget', {targetId => $self->{target}}); return }

# For the developer's eyes.
sub screenshot {
	my ($self, $path) = @_;
	spew($path, MIME::Base64::decode_base64($self->call('Page.captureScreenshot', {format => 'png'})->{data}));
	return $self;
}

1;
