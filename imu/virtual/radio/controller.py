"""A virtual Bluetooth controller: bumble's, with what it leaves out put right.

A cancelled connection request, a reset, scan responses, signal strength, and packets of 251 bytes. This module refuses
to know what a host does with its controller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bumble import controller as bumble_controller
from bumble import hci, ll

LL_PACKET_BYTES = 251
"""Data that fits into one link-layer packet with the data length extension."""


def _nothing(controller: Controller, peer: hci.Address) -> None:
    """Do nothing."""


class Controller(bumble_controller.Controller):
    """A virtual Bluetooth controller: bumble's, mended."""

    # bumble: 27, which makes ten HCI packets of one notification.
    le_acl_data_packet_length = LL_PACKET_BYTES
    # Without these two, hosts use the legacy commands, the only ones bumble answers completely (google/bumble#841).
    le_features = bumble_controller.Controller.le_features & ~(
        hci.LeFeatureMask.LL_PRIVACY | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
    )
    when_unlinked: Callable[[Controller, hci.Address], None] = staticmethod(_nothing)
    """Called when a link to a peer is no more."""
    congested = False
    """Whether the host does not take what it is sent: then the controller refuses what comes over the air."""

    def on_hci_le_create_connection_cancel_command(
        self, command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Take the request back; bumble's keeps it, and the next advertisement makes a connection nobody wants."""
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is not None:
            cancelled = hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=hci.Role.CENTRAL,
                peer_address_type=pending.peer_address_type,
                peer_address=pending.peer_address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            )
            asyncio.get_running_loop().call_soon(self.send_hci_packet, cancelled)
        return super().on_hci_le_create_connection_cancel_command(command)

    def on_hci_reset_command(self, command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        """Drop the links; bumble's keeps them, and a sensor stays connected to a host that has died."""
        self.drop_links()
        return super().on_hci_reset_command(command)

    def on_hci_acl_data_packet(self, packet: hci.HCI_AclDataPacket) -> None:
        """Take data for the air; what the host sent before it learned that the link is lost goes nowhere."""
        if self.find_connection_by_handle(packet.connection_handle) is not None:
            super().on_hci_acl_data_packet(packet)

    def drop_links(self) -> None:
        """Vanish from every link, and from the air."""
        self.pending_le_connection = None
        self.le_scan_enable = False
        self.le_legacy_advertiser.stop()
        for connection in list(self.le_connections.values()):
            connection.send_ll_control_pdu(ll.TerminateInd(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR))
        self.le_connections.clear()

    def on_le_disconnected(self, connection: bumble_controller.Connection, reason: int) -> None:
        """Forget what was still to be sent on the link."""
        super().on_le_disconnected(connection, reason)
        self.when_unlinked(self, connection.peer_address)

    def hear(self, advertiser: bumble_controller.LegacyAdvertiser, rssi_dbm: int) -> None:
        """Take an advertisement, ask for its scan response and connect if that is wished for."""
        if self.le_scan_enable:
            kinds = hci.HCI_LE_Advertising_Report_Event.EventType
            self._report(kinds.ADV_IND, advertiser.address, advertiser.advertising_data, rssi_dbm)
            if self.le_scan_type == hci.HCI_LE_Set_Scan_Parameters_Command.ACTIVE_SCANNING:
                self._report(kinds.SCAN_RSP, advertiser.address, advertiser.scan_response_data, rssi_dbm)
        if self.pending_le_connection is not None and self.pending_le_connection.peer_address == advertiser.address:
            self.create_le_connection(advertiser.address)

    def _report(
        self,
        kind: hci.HCI_LE_Advertising_Report_Event.EventType,
        address: hci.Address,
        data: bytes,
        rssi_dbm: int,
    ) -> None:
        report = hci.HCI_LE_Advertising_Report_Event.Report(
            event_type=kind, address_type=address.address_type, address=address, data=data, rssi=rssi_dbm
        )
        self.send_hci_packet(hci.HCI_LE_Advertising_Report_Event([report]))
