"""What a controller is: declarations, handles, and the three sizes of controller."""
